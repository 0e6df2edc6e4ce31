#include "natkit/engine/pinger/service.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "natkit/engine/control/client.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/control/usage.hpp"
#include "natkit/engine/daemon/adopt.hpp"
#include "natkit/engine/role/role.hpp"
#include "natkit/io/boot_clock.hpp"
#include "natkit/io/mark.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/ping/lease.hpp"
#include "natkit/record/client.hpp"
#include "natkit/record/json_members.hpp"
#include "runner.hpp"

namespace natkit::pinger {
namespace {

using control::Json;

/// Within it sipedge reads what its sockets hold, were it 10,000 answers.
constexpr Duration time_to_read = std::chrono::seconds(1);
constexpr Duration look_at_lease = std::chrono::seconds(1);
constexpr std::uint64_t latest_ms = 1'000'000'000'000;  ///< some thirty years

}  // namespace

ping::Options options_of(const config::Pinger& config) {
    ping::Options options;
    if (config.udp_interval) options.udp_interval = *config.udp_interval;
    if (config.tcp_interval) options.tcp_interval = *config.tcp_interval;
    options.method = config.method == config::PingMethod::options ? ping::Method::options : ping::Method::crlf;
    options.clients_limit = config.clients_limit;
    return options;
}

struct Service::Impl {
    io::Loop& loop;
    Options options;
    std::optional<cluster::Standing> standing;  ///< absent: without [cluster]
    bool standby = false;                       ///< it pings nobody
    bool demoted = false;
    std::optional<ping::Lease> lease;  ///< absent: this node's clients are nobody else's while it is active
    bool waits = false;                ///< for a lease
    Instant started;
    std::unique_ptr<io::Mark> mark;
    std::string degraded;  ///< what it goes without; empty: all is well
    std::unique_ptr<Runner> runner;
    std::unique_ptr<control::Server> server;
    std::unique_ptr<control::Client> edge;
    std::set<ping::ClientId> silent;  ///< to be asked about
    std::set<ping::ClientId> asked;   ///< to be confirmed or forgiven, once sipedge has answered
    io::Timer read_time_over;
    io::Timer lease_tick;

    Impl(io::Loop& on, Options with, const config::Config& config)
        : loop(on),
          options(std::move(with)),
          standing(cluster::standing_at_start(config.cluster, options.runtime_dir)),
          standby(standing && standing->role == cluster::Role::standby),
          started(on.now()),
          read_time_over(on,
                         [this] {
                             edge->request("status", nullptr,
                                           [this](const Result<Json>& reply) { end_silence(reply.has_value()); });
                         }),
          lease_tick(on, [this] { on_lease_tick(); }) {}

    void make_runner(const config::Config& config);
    void make_runner(const ping::Options& wanted, std::optional<Instant> missed_since, LogLevel level);
    void serve();
    void serve_role();
    void serve_lease();
    void on_lease_tick();
    [[nodiscard]] bool may_ping();
    void promote();
    void demote();
    void watch_edge();
    void on_edge_record(const Json& record);
    void on_event(const ping::Event& event, const std::string& result, const std::string& reason);
    void on_silent(const ping::ClientId& id);
    void ask_about_silent();
    void end_silence(bool edge_works);
    void reload(const control::Reply& reply);
    [[nodiscard]] Json status() const;
    [[nodiscard]] Json listeners(std::vector<io::Fd>& descriptors) const;
};

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, const Options& options, const config::Config& config) {
    std::unique_ptr<Service> service(new Service);
    service->impl_ = std::make_unique<Impl>(loop, options, config);
    Impl& impl = *service->impl_;
    auto server = control::Server::listen(loop, options.runtime_dir + "/natpinger.sock");
    if (!server) return std::unexpected(server.error());
    impl.server = std::move(*server);
    auto mark = io::Mark::open(options.runtime_dir + "/natpinger.mark");
    impl.mark = mark ? std::move(*mark) : io::Mark::in_memory();
    impl.make_runner(config);
    if (!mark) {
        impl.degraded = to_string(mark.error()) + ": after a restart, clients may be pinged twice or late";
        impl.runner->log().failures(impl.degraded);
    }
    impl.serve();
    impl.serve_role();
    if (!config.cluster.peers.empty()) impl.serve_lease();
    if (!impl.standby) impl.watch_edge();
    return service;
}

Service::~Service() = default;

bool Service::starts_again() const {
    return impl_->demoted;
}

void Service::Impl::make_runner(const config::Config& config) {
    make_runner(options_of(config.pinger), mark->before(), config.pinger.log_level);
}

void Service::Impl::make_runner(const ping::Options& wanted, std::optional<Instant> missed_since, LogLevel level) {
    runner = std::make_unique<Runner>(
        loop, wanted, missed_since, level,
        Runner::Handlers{.on_event = [this](const ping::Event& event, const std::string& result,
                                            const std::string& reason) { on_event(event, result, reason); },
                         .on_silent = [this](const ping::ClientId& id) { on_silent(id); },
                         .on_served = [this](Instant until) { mark->set(until); },
                         .may_ping = [this] { return may_ping(); }});
}

void Service::Impl::serve() {
    using control::Reply;
    using Fds = std::vector<io::Fd>;
    constexpr auto run = control::Server::Repeat::run;
    server->on("adopt", [this](const Json& request, Fds descriptors, const Reply& reply) {
        const auto names = daemon::read_adopted(request, descriptors);
        if (!names) return reply.error(names.error());
        std::map<std::string, io::Fd> sockets;
        for (std::size_t i = 0; i < names->size(); ++i) sockets[to_string((*names)[i])] = std::move(descriptors[i]);
        runner->set_sockets(std::move(sockets));
        reply.ok({{"sockets", names->size()}});
    });
    server->on(
        "listeners",
        [this](const Json&, const Fds&, const Reply& reply) {
            Fds descriptors;
            const Json names = listeners(descriptors);
            reply.ok({{"sockets", names}}, std::move(descriptors));
        },
        run);
    server->on("status", [this](const Json&, const Fds&, const Reply& reply) { reply.ok(status()); }, run);
    server->on("reload", [this](const Json&, const Fds&, const Reply& reply) { reload(reply); });
    server->on("log-level", [this](const Json& request, const Fds&, const Reply& reply) {
        const auto level = parse_log_level(record::text_of(request, "level"));
        if (!level) return reply.error(level.error());
        runner->log().set_level(*level);
        reply.ok(Json::object());
    });
    server->on("stop", [this](const Json&, const Fds&, const Reply& reply) {
        reply.ok(Json::object());
        loop.stop();
    });
}

void Service::Impl::serve_role() {
    server->on("role", [this](const Json& request, const std::vector<io::Fd>&, const control::Reply& reply) {
        const auto wanted = cluster::parse_standing(request);
        if (!wanted) return reply.error(wanted.error());
        if (!standing) return reply.error({Errc::refused, "", "there is no [cluster] state: this node is alone"});
        const bool same = standing->role == wanted->role;
        standing = *wanted;
        if (!same && wanted->role == cluster::Role::active) promote();
        if (!same && wanted->role == cluster::Role::standby) demote();
        reply.ok(Json::object());
    });
}

/// Among several active edges another one has this node's clients once its lease is over.
void Service::Impl::serve_lease() {
    lease.emplace(io::boot_now());
    waits = true;
    lease_tick.start_in(look_at_lease);
    server->on("lease", [this](const Json& request, const std::vector<io::Fd>&, const control::Reply& reply) {
        const auto until = request.find("until_ms");
        if (until == request.end() || !until->is_number_unsigned() || until->get<std::uint64_t>() > latest_ms)
            return reply.error({Errc::bad_input, "until_ms", "must be a time since the host's boot"});
        lease->extend(Instant(std::chrono::milliseconds(until->get<std::uint64_t>())));
        on_lease_tick();
        reply.ok(Json::object());
    });
}

void Service::Impl::on_lease_tick() {
    lease_tick.start_in(look_at_lease);
    const bool waited = waits;
    if (may_ping() && waited) runner->resume();
}

bool Service::Impl::may_ping() {
    if (!lease) return true;
    const bool may = lease->may_ping(io::boot_now());
    if (waits == !may) return may;
    waits = !may;
    runner->log().major(may ? "pinging: this node's lease holds, or nobody speaks of it"
                            : "pinging nobody: this node's lease is over, and others may have its clients");
    return may;
}

/// Nobody knows whom the other node has pinged last: all are pinged within the next seconds, a few at a time.
void Service::Impl::promote() {
    standby = false;
    const ping::Options wanted = runner->pinger().options();
    const Duration interval =
        std::max(wanted.udp_interval.value_or(Duration{}), wanted.tcp_interval.value_or(Duration{}));
    const LogLevel level = runner->log().level();
    runner->log().major("active from now on, epoch " + std::to_string(standing->epoch));
    auto sockets = runner->take_sockets();
    make_runner(wanted, loop.now() - interval, level);
    runner->set_sockets(std::move(sockets));
    runner->pinger().make_up_until(loop.now() + interval);
    watch_edge();
}

void Service::Impl::demote() {
    runner->log().major("a standby from now on: starting again");
    standby = demoted = true;
    runner->stop();
    read_time_over.stop();
    edge.reset();
    (void)loop.post([this] { loop.stop(); });
}

void Service::Impl::watch_edge() {
    edge = std::make_unique<control::Client>(loop, options.runtime_dir + "/sipedge.sock", control::random_prefix());
    edge->on_state([this](bool connected, const std::string& why) {
        // While sipedge is away its clients' bindings are kept open all the same.
        if (connected) runner->pinger().begin_snapshot();
        runner->pinger().set_answers_arrive(connected);
        if (runner->log().on(log::Level::low_level)) {
            runner->log().low_level(connected ? std::string("watching sipedge") : "sipedge: " + why);
        }
    });
    edge->watch([this](const Json& record) { on_edge_record(record); }, {"client", "ping-answer"});
}

void Service::Impl::on_edge_record(const Json& record) {
    const std::string type = record::text_of(record, "type");
    if (type == "snapshot-end") return runner->on_snapshot_end();
    if (type == "ping-answer") {
        const auto source = Endpoint::parse(record::text_of(record, "source"));
        if (source) runner->on_answer(record::text_of(record, "branch"), *source);
        return;
    }
    if (type != "client") return;
    auto change = record::parse_client(record, loop.now());
    if (!change) return runner->log().failures("client record of sipedge: " + to_string(change.error()));
    if (change->event == record::ClientChange::Event::removed) {
        runner->on_removed(change->client.id);
    } else {
        // sipedge says itself when a registration ends; it may last longer than was known when the record was made.
        change->client.expires.reset();
        runner->on_client(std::move(change->client));
    }
}

void Service::Impl::on_event(const ping::Event& event, const std::string& result, const std::string& reason) {
    using Kind = ping::Event::Kind;
    if (event.kind == Kind::dead) {
        edge->request("client-dead", {{"client", event.client.id}, {"reason", reason}}, [](const Result<Json>&) {});
    } else if (event.kind == Kind::connection) {
        edge->request("ping-connection", {{"connection", event.client.connection}},
                      [this, id = event.client.id](const Result<Json>& reply) {
                          if (reply) {
                              runner->on_connection_pinged(id);
                          } else if (reply.error().code != Errc::timed_out) {
                              runner->on_connection_failed(id, reply.error().message);
                          }
                      });
    }
    if (server->watched()) {
        server->publish(record::ping_record(event.client, runner->pinger().options().method, result, reason));
    }
}

/// Answers come to sipedge, which may hang while the watch on it still stands. A client is silent only if sipedge works
/// after its last OPTIONS, and has had time to read what waits in its sockets.
void Service::Impl::on_silent(const ping::ClientId& id) {
    silent.insert(id);
    if (asked.empty()) ask_about_silent();
}

void Service::Impl::ask_about_silent() {
    asked = std::exchange(silent, {});
    edge->request("status", nullptr, [this](const Result<Json>& reply) {
        if (!reply) return end_silence(false);
        read_time_over.start_in(time_to_read);
    });
}

void Service::Impl::end_silence(bool edge_works) {
    for (const ping::ClientId& id : std::exchange(asked, {})) {
        if (edge_works) {
            runner->on_silence_confirmed(id);
        } else {
            runner->pinger().ignore_silence(id);
        }
    }
    if (!silent.empty()) ask_about_silent();
}

void Service::Impl::reload(const control::Reply& reply) {
    const auto config = options.read_again();
    if (!config) return reply.error(config.error());
    runner->log().set_level(config->pinger.log_level);
    runner->reload(options_of(config->pinger));
    reply.ok(Json::object());
}

Json Service::Impl::status() const {
    const ping::Pinger& pinger = runner->pinger();
    const ping::Counters& counters = pinger.counters();
    Json told = Json::array();
    if (!degraded.empty()) told.push_back(degraded);
    Json status = {{"name", "natpinger"},
                   {"pid", ::getpid()},
                   {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(loop.now() - started).count()},
                   {"edge_connected", edge != nullptr && edge->connected()},
                   {"sockets", runner->sockets().size()},
                   {"clients", pinger.clients()},
                   {"pinged", pinger.pinged()},
                   {"refused", counters.refused},
                   {"sent", counters.sent},
                   {"later", counters.later},
                   {"failed", counters.failed},
                   {"answers", counters.answers},
                   {"strangers", counters.strangers},
                   {"dead", counters.dead},
                   {"degraded", std::move(told)}};
    control::add_usage(status);
    if (lease) status["waits_for_lease"] = waits;
    if (standing) cluster::add_standing(status, *standing);
    return status;
}

Json Service::Impl::listeners(std::vector<io::Fd>& descriptors) const {
    Json names = Json::array();
    for (const auto& [name, socket] : runner->sockets()) {
        auto copy = socket.duplicate();
        if (!copy) continue;
        names.push_back(name);
        descriptors.push_back(std::move(*copy));
    }
    return names;
}

}  // namespace natkit::pinger
