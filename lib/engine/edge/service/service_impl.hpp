#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "../pair/keys.hpp"
#include "../pair/replicas.hpp"
#include "../pair/told.hpp"
#include "../records/host_clock.hpp"
#include "../records/records.hpp"
#include "../signalling/edge.hpp"
#include "call_records.hpp"
#include "natkit/engine/control/client.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/edge/service.hpp"
#include "natkit/engine/hep/outlet.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/engine/log/record_file.hpp"
#include "natkit/engine/role/role.hpp"
#include "natkit/io/net/udp.hpp"
#include "natkit/io/wall_clock.hpp"
#include "natkit/store/bindings.hpp"
#include "resolver.hpp"
#include "streams.hpp"

/// What edge::Service is made of: service.cpp has its time and life; net.cpp its sockets and connections;
/// relay.cpp its talk with mediarelay; role.cpp what it is in a cluster; control.cpp what it serves and tells;
/// copies.cpp what a collector is sent.
namespace natkit::edge {

/// A number that no earlier run has numbered its connections from, small enough for a number in JSON.
[[nodiscard]] std::uint64_t first_connection();

[[nodiscard]] StreamLimits stream_limits(const config::Limits& limits);

struct Service::Impl {
    Impl(io::Loop& event_loop, const config::Config& config, Settings settings, ServiceOptions wanted,
         store::Bindings kept, Keys with_keys, std::unique_ptr<control::Server> listening)
        : loop(event_loop),
          options(std::move(wanted)),
          configured(config),
          log("SIPEDGE", config.sip.log_level),
          loop_log("LOOP", config.sip.log_level),
          standing(cluster::standing_at_start(config.cluster, options.runtime_dir)),
          standby(standing && standing->role == cluster::Role::standby),
          bindings(std::move(kept)),
          keys(std::move(with_keys)),
          server(std::move(listening)),
          relay(loop, options.runtime_dir + "/mediarelay.sock", control::random_prefix()),
          timer(loop, [this] { on_timer(); }),
          edge(std::move(settings), keys.secrets()),
          started(loop.now()),
          call_records(loop, [this](Json record, bool whole) { tell_ended(std::move(record), whole); }),
          patience(loop, [this] { begin_reading(); }),
          claim_again(loop, [this] { take_up_calls(); }),
          streams(loop, stream_limits(config.limits), first_connection(), stream_handlers()),
          resolver(loop),
          outlet(loop, [this](const auto& destination) { collector.set(destination); }),
          collector(outlet.counters()),
          replicas(loop, replica_handlers()),
          told_clients(told_handlers()) {}

    [[nodiscard]] Now now() const { return {.steady = loop.now(), .wall = wall()}; }
    /// The time of day as it was at the start and has gone on since: a clock that is set ends no registration.
    [[nodiscard]] WallTime wall() const {
        return wall_base + std::chrono::duration_cast<std::chrono::milliseconds>(loop.now() - started);
    }
    void look_at_clock();
    /// Saves every registration again: after the clock was set, or the state could not be written for a while.
    void save_all();
    void save(const sip::Binding& binding);

    void restore();
    void serve();
    void serve_state();
    void serve_role();
    void on_role(const cluster::Standing& wanted, const control::Reply& reply);
    void promote();
    /// From now on nothing is sent or read, and nobody told: the process is about to end.
    void demote();
    void drop_connections_of_others();
    void follow_host();
    /// Watchers get the clients that were told to nobody while this node was a standby, some at a time.
    void tell_clients(std::vector<std::string> ids);
    [[nodiscard]] Replicas::Handlers replica_handlers();
    [[nodiscard]] ToldClients::Handlers told_handlers();
    /// `record`s of natkit-cluster; else the list of who is registered here.
    void on_clients(const record::ObjectView& request, const control::Reply& reply);
    void list_clients(const std::string& after, const control::Reply& reply) const;
    /// Its times become this host's: the writer's time of day is `ahead` before ours.
    [[nodiscard]] Result<sip::Binding> binding_of(store::BindingRow& row, std::chrono::milliseconds before) const;
    [[nodiscard]] store::BindingRow row_of(const sip::Binding& binding) const;
    void publish_replica(const sip::Binding& binding, bool gone);
    void on_saved(const Result<void>& saved);
    [[nodiscard]] HostClock host_clock() const;
    void watch_relay();
    /// After mediarelay was away: the calls whose legs it does not have any more lose them. `known`: those it had
    /// before it was asked; a leg that is opened meanwhile is no business of this. Given up when mediarelay goes away
    /// again: its pages would not fit together.
    void look_for_legs(std::unordered_set<std::string> known, unsigned absences, std::uint64_t after = 0);
    void take_up_calls();
    /// The calls from before the restart are known: reads what waits in the sockets. A request inside one of them that
    /// was read earlier would pass with its SDP as it is.
    void begin_reading();
    void take_up_page(std::uint64_t after);
    [[nodiscard]] Result<void> open_sockets(const config::Config& config);
    [[nodiscard]] Result<void> adopt(const Json& request, std::vector<io::Fd> sockets);
    void fit(config::Config& config) const;
    /// Other sockets have come: what is listened on is another matter.
    void follow_adopted();
    [[nodiscard]] Result<void> reload();
    [[nodiscard]] Result<void> load_tls(const config::Config& config);
    /// `at` is what the configuration calls the socket.
    [[nodiscard]] Result<void> add_socket(const config::Listen& at, io::Fd fd);
    [[nodiscard]] Streams::Handlers stream_handlers();
    /// The edge has had a message. `copy` is its text, empty where no copy is wanted; `flooded`: as many were one too
    /// many before it.
    void took(const sip::Flow& flow, std::string_view copy, std::uint64_t flooded, Output& out);
    void copy_received(const sip::Flow& flow, std::string_view message);
    void copy_sent(const sip::Packet& packet);
    void copy(const sip::Flow& flow, const Endpoint& source, const Endpoint& destination, std::string_view message);
    void send(const sip::Packet& packet);
    void tell_unsent(const Endpoint& remote, int error_number);
    void look_up(const Lookup& lookup);
    [[nodiscard]] Json listeners(std::vector<io::Fd>& copies) const;
    [[nodiscard]] Result<void> ping_connection(const Json& request);
    void learn_interfaces();
    void on_datagram(const Endpoint& local, const io::Datagram& datagram);
    void on_timer();
    void carry_out(Output& out);
    void call_back_at(Instant time);
    void ask_relay(const std::vector<MediaRequest>& requests);
    void ask_relay(const MediaRequest& request);
    void ask_relay(const OpenLeg& open);
    void free_legs(const FreeLegs& free, control::Client::Urgency urgency);
    [[nodiscard]] static bool can_wait(const MediaRequest& request);
    [[nodiscard]] std::string kept_text(const KeepState& keep) const;
    void tell_relay(const char* what, record::ObjectText request,
                    control::Client::Urgency urgency = control::Client::Urgency::now);
    void tell(const Event& event);
    void tell_ended(Json record, bool whole);
    void open_call_file(const std::string& target);
    /// Whether somebody reads the records of calls that are over.
    [[nodiscard]] bool tells_of_calls() const { return server->watched("call") || call_file.is_open(); }
    void keep(const sip::BindingChange& change);
    [[nodiscard]] Json status() const;

    io::Loop& loop;
    ServiceOptions options;
    config::Config configured;                                ///< as read last
    std::optional<std::vector<config::Listen>> adopted = {};  ///< the sockets that natkit gave, whatever is configured
    log::Logger log;
    log::Logger loop_log;                       ///< of calls that come through again
    std::optional<cluster::Standing> standing;  ///< absent: without [cluster]
    bool standby = false;
    bool demoted = false;
    std::vector<control::Reply> promoting;  ///< to be answered once this node serves
    std::chrono::milliseconds ahead{};      ///< the active node's time of day, before ours
    store::Bindings bindings;
    Keys keys;
    std::unique_ptr<control::Server> server;
    control::Client relay;
    io::Timer timer;
    Instant timer_at{};
    Edge edge;
    Instant started;
    const WallTime wall_base = io::wall_now();
    std::chrono::milliseconds clock_drift{};  ///< of the host's clock from wall()
    bool state_failed = false;
    bool reading = false;
    unsigned relay_absences = 0;  ///< how often mediarelay was not there
    CallRecords call_records;
    log::RecordFile call_file;  ///< [log] calls
    io::Timer patience;         ///< with mediarelay at the start
    io::Timer claim_again;      ///< which may not be active yet
    std::map<Endpoint, std::unique_ptr<io::UdpSocket>> sockets;
    Streams streams;
    Resolver resolver;
    hep::Outlet outlet;
    hep::Sender collector;  ///< of copies of messages
    Replicas replicas;
    ToldClients told_clients;
    const std::string owner = "sipedge";  ///< of our legs, from one start to the next
    std::map<std::uint32_t, Side> sides;  ///< by interface index
    Instant sides_learned{};
    std::optional<Instant> unsent_told;
    std::size_t unsent_since = 0;  ///< datagrams that could not be sent since
};

}  // namespace natkit::edge
