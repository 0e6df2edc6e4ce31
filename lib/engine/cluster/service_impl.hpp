#pragma once

#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/cluster/ownership.hpp"
#include "natkit/cluster/protection.hpp"
#include "natkit/engine/cluster/service.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/role/role.hpp"
#include "natkit/io/net/address_watch.hpp"
#include "natkit/io/net/dns.hpp"
#include "reader.hpp"
#include "state.hpp"
#include "worker_link.hpp"
#include "writer.hpp"

namespace natkit::cluster {

struct Service::Impl {
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

    io::Loop& loop;
    Service::Options options;
    config::Config config;
    log::Logger log;
    Instant started;
    std::string boot_id;
    io::Dns dns;
    State state;
    Ownership ownership;
    Protection protection;
    std::unique_ptr<control::Server> server;
    std::vector<std::unique_ptr<WorkerLink>> workers;
    std::unique_ptr<Writer> writer;
    std::unique_ptr<Reader> reader;
    std::unique_ptr<io::AddressWatch> addresses;
    std::vector<IpAddress> shared;  ///< that move with the role
    std::vector<std::string> missing;
    std::optional<Owner> owner;  ///< that Redis knows
    bool owner_silent = false;   ///< and it is active no more: it has written nothing for some seconds, or as a standby
    std::deque<Mark> marks;
    std::string heard_from;  ///< who acknowledged last
    std::vector<Order> orders;
    std::optional<Instant> leaving;  ///< a standby that still writes what it has in hand, until then at most
    bool in_step = false;
    bool looked = false;  ///< Redis has told who the owner is, if there is one
    Instant reading_since{};
    bool reading = false;  ///< all that our workers have is being read
    std::string last_news;
    io::Timer tick;

    Impl(io::Loop& on, Service::Options with, config::Config from, Standing standing);

    // service.cpp
    void serve();
    void order(Role role, const control::Reply& reply);
    void answer_orders();
    void apply(const Ownership::Effects& effects);
    void begin(const Ownership::Effect& effect);
    void end(const Ownership::Effect& effect);
    void go_on_leaving();
    void leave();
    void on_tick();
    [[nodiscard]] Ownership::Others others() const;

    // links.cpp
    void connect_redis();
    void connect_workers();
    [[nodiscard]] redis::Session::Options redis_options();
    [[nodiscard]] std::string password();
    void tell_workers();
    void claim();
    void on_owner(const std::optional<Owner>& told, bool silent);
    void on_replica(std::string_view key, std::optional<std::string> record);
    void keep_members(std::string_view key, const std::string& record);
    void begin_reading();
    void on_all_read();
    void on_joined();
    void on_entry(StreamId id);
    void acknowledge_passed();
    void on_acknowledged(const std::string& node, StreamId id);
    [[nodiscard]] WorkerLink* worker_of(Kind kind);

    // status.cpp
    void look_at_addresses();
    [[nodiscard]] bool has_address() const noexcept { return shared.empty() || missing.size() < shared.size(); }
    [[nodiscard]] Readiness readiness() const;
    [[nodiscard]] control::Json status() const;
    void tell_news();
};

}  // namespace natkit::cluster
