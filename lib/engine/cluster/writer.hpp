#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "natkit/cluster/outbox.hpp"
#include "natkit/cluster/ownership.hpp"
#include "natkit/redis/session.hpp"
#include "state.hpp"

namespace natkit::cluster {

/// Asks Redis who the owner is, claims it, and writes: of an active node its replicas, of a standby how far it has
/// come. Nobody waits for it.
class Writer {
  public:
    struct Handlers {
        std::function<void()> on_ready;  ///< or lost: connected() tells
        /// `silent`: it has written nothing as the owner for some seconds, or is a standby now.
        std::function<void(const std::optional<Owner>& owner, bool silent)> on_owner;
        std::function<void(std::uint64_t epoch)> on_claimed;
        std::function<void(std::uint64_t epoch, const std::string& node)> on_refused;
        std::function<void()> on_unclaimed;  ///< Redis does not know us as the owner
        std::function<void(StreamId id)> on_written;
        std::function<void()> on_nodes;
    };

    Writer(State& state, io::Dns& dns, redis::Session::Options options, Handlers handlers);
    ~Writer() = default;
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    [[nodiscard]] bool connected() const noexcept { return session_ && session_->ready(); }
    /// "connected", or why it is not.
    [[nodiscard]] const std::string& connection() const noexcept { return connection_; }
    /// Who else is, or was, in the group.
    [[nodiscard]] const std::vector<std::string>& nodes() const noexcept { return nodes_; }

    /// Asks to be the owner; the answer comes by on_claimed or on_refused, or not at all where Redis is lost.
    void claim(Ownership::Claim how, std::uint64_t epoch);
    /// The owner, all of whose replicas are in the table: from here on what is added is written.
    void begin_state();
    /// No owner any more: nothing is written.
    void stop();
    /// Active: this replica changed, or is gone.
    void add(std::string_view key, std::optional<Version> gone);
    /// Standby: all up to this entry of the owner is with the workers.
    void acknowledge(const std::string& owner, StreamId id);

    [[nodiscard]] Outbox& outbox() noexcept { return outbox_; }
    /// Whether the state in Redis is whole, and what is added is written at once.
    [[nodiscard]] bool keeps_up() const noexcept { return connected() && stage_ == Stage::shown && !claiming_; }

  private:
    enum class Stage : std::uint8_t {
        idle,     ///< no owner
        claimed,  ///< the workers' records are not all read yet
        filling,  ///< the new state is being written
        shown,
    };

    void ask(std::vector<std::string> words, redis::Connection::OnReply on_reply);
    void on_ready(const std::string& run);
    void on_lost(const std::string& why);
    void tick();
    void ask_time();
    void ask_owner();
    void ask_silence(const Owner& owner);
    void ask_nodes();
    void on_claim(const redis::Reply& reply);
    void kick();
    void write(const Outbox::Batch& batch);
    void on_write(const redis::Reply& reply, std::uint64_t number,
                  const std::vector<std::pair<std::string, Version>>& gone);
    void fill();
    void show();
    void not_ours();
    /// Whether Redis took it; else it says why, and writing rests.
    bool took(const redis::Reply& reply, const char* kind);
    void start_over();
    void send_standby_entry();

    State& state_;
    Handlers handlers_;
    std::unique_ptr<redis::Session> session_;
    std::string connection_ = "not connected";
    std::string run_;
    std::vector<std::string> nodes_;
    Outbox outbox_;
    std::unordered_map<std::string, Version> gone_;  ///< what is gone, until that was written
    Stage stage_ = Stage::idle;
    std::string state_key_;
    std::vector<std::string> fill_;  ///< keys still to be written into the new state
    std::size_t filling_ = 0;        ///< requests on their way
    bool claiming_ = false;
    bool acts_ = false;  ///< this node is active
    bool showing_ = false;
    std::optional<StreamId> acknowledged_;
    std::string acknowledged_of_;
    Instant written_at_{};
    Instant rest_until_{};
    std::uint64_t round_ = 0;  ///< of the connection and the claim
    io::Timer soon_;
    io::Timer tick_;
};

}  // namespace natkit::cluster
