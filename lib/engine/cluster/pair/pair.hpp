#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../reader.hpp"
#include "../service_impl.hpp"
#include "natkit/cluster/ownership.hpp"
#include "natkit/cluster/protection.hpp"

namespace natkit::cluster {

/// Active and standby: one node serves, and the others hold what it would lose.
struct Pair final : Service::Impl {
    struct Readiness {
        bool ready = false;
        std::string why;
    };
    struct Order {  ///< `promote`, `demote`: answered when the workers have followed
        control::Reply reply;
        Role role;
        Instant until;
    };
    struct Mark {  ///< the workers have all up to this entry once their feeds are past these places
        StreamId id;
        std::array<std::uint64_t, kinds> places;
    };

    Ownership ownership;
    Protection protection;
    std::unique_ptr<Reader> reader;
    std::vector<IpAddress> shared;  ///< that move with the role
    std::vector<std::string> missing;
    std::optional<Owner> owner;  ///< that Redis knows
    bool owner_silent = false;   ///< and it is active no more: it has written nothing for some seconds, or as a standby
    std::deque<Mark> marks;
    std::string heard_from;  ///< who acknowledged last
    std::vector<Order> orders;
    std::optional<Instant> leaving;  ///< a standby that still writes what it has in hand, until then at most
    bool in_step = false;
    bool looked = false;     ///< Redis has told who the owner is, if there is one
    bool recalling = false;  ///< started anew as the active node: what it wrote before is not read yet
    std::optional<Instant> recalling_since;
    std::optional<ReplicaTable> former;  ///< what it wrote before
    io::Timer tick;

    Pair(io::Loop& on, Service::Options with, const config::Config& from, const Standing& standing);

    // pair.cpp
    void start() override;
    void order(Role role, const control::Reply& reply) override;
    void answer_orders();
    void apply(const Ownership::Effects& effects);
    void begin(const Ownership::Effect& effect);
    void end(const Ownership::Effect& effect);
    void go_on_leaving();
    void leave();
    void on_tick();
    [[nodiscard]] Ownership::Others others() const;
    [[nodiscard]] Standing standing() const;

    // links.cpp
    void connect_redis();
    void connect_workers();
    void claim();
    void on_owner(const std::optional<Owner>& told, bool silent);
    void recall();
    void on_recalled(ReplicaTable read);
    void begin_state();
    [[nodiscard]] bool writes() const override { return ownership.role() == Role::active || leaving; }
    void on_read() override;
    void on_worker() override;
    void on_joined();
    void on_entry(StreamId id);
    void acknowledge_passed();
    void on_acknowledged(const std::string& node, StreamId id);

    // status.cpp
    void look_at_addresses() override;
    [[nodiscard]] bool has_address() const noexcept { return shared.empty() || missing.size() < shared.size(); }
    [[nodiscard]] Readiness readiness() const;
    [[nodiscard]] control::Json status() const override;
    [[nodiscard]] std::string news() const override;
};

}  // namespace natkit::cluster
