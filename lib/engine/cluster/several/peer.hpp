#pragma once

#include <memory>
#include <optional>
#include <string>

#include "../reader.hpp"
#include "../state.hpp"
#include "natkit/cluster/clients.hpp"
#include "natkit/cluster/lease.hpp"
#include "natkit/record/json_view.hpp"

namespace natkit::cluster {

/// What is known of another node: its lease, and what it has registered, as Redis has it.
class Peer {
  public:
    struct Handlers {
        /// All its rows are others.
        std::function<void(Peer& peer)> on_joined;
        std::function<void(Peer& peer, std::string_view key)> on_replica;
        std::function<void()> on_change;
    };

    Peer(State& node, const std::string& group, const std::string& name, Clients::Slot slot, io::Dns& dns,
         redis::Session::Options options, Handlers handlers);
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer() = default;

    /// All of it is to be read again, as it is from now on.
    void read_anew();
    /// Where its state lies.
    void on_owner(const Result<std::optional<Owner>>& owner);
    void set_clock(const State& node);
    /// Whether all that it has is known, since read_anew(): or there is nothing that could be read.
    [[nodiscard]] bool read() const;

    /// What decides whose client it is; nothing where there is no such registration, or it cannot be read.
    [[nodiscard]] std::optional<ClientRow> row(std::string_view key);
    [[nodiscard]] Clients::Rows rows();

    [[nodiscard]] const std::string& name() const noexcept { return state_.node; }
    [[nodiscard]] Clients::Slot slot() const noexcept { return slot_; }
    [[nodiscard]] const ReplicaTable& table() const noexcept { return state_.table; }
    [[nodiscard]] ReplicaTable take_table() { return std::move(state_.table); }
    [[nodiscard]] std::uint64_t bad() const noexcept { return reader_->bad() + bad_; }
    [[nodiscard]] std::vector<std::string> troubles() const { return state_.troubles.texts(); }

    /// The key of its state in Redis; empty where that is not known.
    [[nodiscard]] const std::string& state_key() const noexcept { return state_key_; }

    std::optional<LeaseValue> lease;  ///< while it lives

  private:
    State state_;
    Clients::Slot slot_;
    std::unique_ptr<Reader> reader_;
    record::ObjectReader parser_;
    bool told_ = false;  ///< where its state lies
    std::string state_key_;
    bool readable_ = false;
    std::optional<Instant> writes_since_;  ///< its state is being written, and cannot be read until then
    std::uint64_t bad_ = 0;                ///< rows that could not be understood
};

/// "binding:ID" → ID
[[nodiscard]] std::string_view id_of(std::string_view key);
[[nodiscard]] std::string key_of(std::string_view id);

}  // namespace natkit::cluster
