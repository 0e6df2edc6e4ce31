#include "natkit/engine/edge/service.hpp"

#include <algorithm>

#include "natkit/config/peer_listener.hpp"
#include "natkit/config/users.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/sip/peer_token.hpp"
#include "service_impl.hpp"

namespace natkit::edge {
namespace {

/// So many a second, and as many as come in two seconds at once.
proxy::Rate rate(unsigned per_second) {
    return {.per_second = static_cast<double>(per_second), .burst = 2.0 * per_second};
}

std::optional<PeerEdges> peer_edges(const config::Cluster& cluster) {
    PeerEdges edges;
    for (const config::ClusterPeer& peer : cluster.peers) {
        PeerEdge edge{.node = peer.node, .number = sip::node_number(peer.node), .listen = peer.listen};
        if (peer.node == cluster.node) {
            edges.own = std::move(edge);
        } else {
            edges.others.push_back(std::move(edge));
        }
    }
    return edges;
}

}  // namespace

StreamLimits stream_limits(const config::Limits& limits) {
    StreamLimits result;
    result.connections = limits.connections;
    result.per_source = limits.source_connections;
    return result;
}

std::expected<Settings, config::Problems> complete_settings(const config::Config& config) {
    Settings settings = to_settings(config);
    if (const auto host = io::host_addresses()) settings.set_networks(*host);
    if (config.registrar.users.empty()) return settings;
    const auto list = config::load_users(config.registrar.users);
    if (!list) return std::unexpected(list.error());
    auto users = std::make_shared<sip::Users>();
    for (const config::User& user : *list) {
        users->add(user.name, user.realm, user.sha256 ? sip::DigestAlgorithm::sha256 : sip::DigestAlgorithm::md5,
                   user.ha1);
    }
    settings.users = std::move(users);
    return settings;
}

Settings to_settings(const config::Config& config) {
    Settings settings;
    const auto peers = config::peer_listener(config);
    settings.networks = config.network.lists;
    for (const config::Listen& listen : config.sip.listen) {
        const bool lan = config::side_of(listen.endpoint.address, config) == nat::Place::lan;
        const bool for_peers = peers && listen == *peers;  // they know it by [cluster.peers]
        const IpAddress& bound = listen.endpoint.address;
        settings.listeners.push_back({.transport = listen.transport,
                                      .bound = listen.endpoint,
                                      .advertised = {.address = for_peers ? bound : config::advertised(bound, config),
                                                     .port = listen.endpoint.port},
                                      .side = lan ? Side::lan : Side::wan,
                                      .peers = for_peers});
    }
    settings.peers = peers ? peer_edges(config.cluster) : std::nullopt;
    settings.domains = config.sip.domains;
    for (const config::Route& route : config.sip.routes) {
        settings.servers.push_back({.domain = route.domain,
                                    .to = route.to,
                                    .trunk = route.kind == config::RouteKind::trunk,
                                    .path = route.path});
    }
    settings.open_registrar = config.registrar.open;
    settings.keeps_open = config.pinger.udp_interval.has_value();
    settings.lan_trusted = config.network.lan_trusted;
    settings.media_policy = config.media_proxy.policy;
    const auto seconds = [](config::Milliseconds time) {
        return std::chrono::duration_cast<std::chrono::seconds>(time);
    };
    settings.registrar.min_expires = seconds(config.registrar.min_expires);
    settings.registrar.max_expires = seconds(config.registrar.max_expires);
    settings.max_dialog = seconds(config.sip.max_dialog);
    settings.most_streams = config.limits.streams;
    settings.name_lookups = config.limits.lookups;
    // A stream has two legs, a leg a pair of ports.
    const config::PortRange& ports = config.media_proxy.ports;
    settings.media_shares = {.stranger = 2 * std::size_t{config.limits.stranger_streams},
                             .user = 2 * std::size_t{config.limits.user_streams},
                             .strangers_percent = config.limits.stranger_ports,
                             .outside_percent = config.limits.outside_ports,
                             .pool = (std::size_t{ports.last} - ports.first + 1) / 2};
    settings.flood = {.flow = rate(config.limits.flow_requests),
                      .source = rate(config.limits.source_requests),
                      .strangers = rate(config.limits.stranger_requests),
                      .server = rate(config.limits.server_requests)};
    settings.transactions = {.most = config.limits.transactions,
                             .bytes = std::size_t{config.limits.transaction_memory} << 20};
    for (const auto* addresses : {&config.media_proxy.lan_addresses, &config.media_proxy.wan_addresses}) {
        for (const IpAddress& address : *addresses) {
            settings.media_addresses.push_back(address);
            settings.media_addresses.push_back(config::advertised(address, config));
        }
    }
    return settings;
}

void Service::Impl::restore() {
    if (!bindings.note().empty()) log.crashes(bindings.note());
    state_failed = !bindings.writable();
    const auto rows = bindings.load();
    if (!rows) return log.failures(to_string(rows.error()));
    std::size_t restored = 0;
    for (const store::BindingRow& row : *rows) {
        auto binding = from_row(row);
        if (!binding) {
            log.problems("state: " + row.id + ": " + to_string(binding.error()));
            continue;
        }
        if (binding->flow.connection != 0) {  // it ended with the last run, and is never made again
            if (!standby)
                log.major("client " + binding->aor + " at " + to_string(binding->flow.remote) +
                          ": its connection ended with the restart; it must register again");
            if (const auto gone = bindings.remove(binding->id); !gone) log.failures(to_string(gone.error()));
            continue;
        }
        if (binding->expires <= wall()) {
            if (const auto gone = bindings.remove(binding->id); !gone) log.failures(to_string(gone.error()));
            continue;
        }
        ++restored;
        edge.restore(std::move(*binding), wall());
    }
    if (restored > 0) log.major(std::to_string(restored) + " registrations taken up from before the restart");
}

void Service::Impl::learn_interfaces() {
    const auto host = io::host_addresses();
    if (!host) return log.failures(to_string(host.error()));
    sides_learned = loop.now();
    sides.clear();
    for (const HostAddress& own : *host) {
        const bool lan = edge.settings().networks.lan.contains(own.address);
        const auto [at, fresh] = sides.try_emplace(own.index, lan ? Side::lan : Side::wan);
        if (lan) at->second = Side::lan;
    }
}

Result<void> Service::Impl::reload() {
    auto config = options.read_again();
    if (!config) return std::unexpected(config.error());
    fit(*config);
    auto settings = complete_settings(*config);
    if (!settings) return std::unexpected(settings.error().front());
    if (auto loaded = load_tls(*config); !loaded) return loaded;
    if (auto loaded = keys.load_again(*config); !loaded) return loaded;
    streams.set_limits(stream_limits(config->limits));
    open_call_file(config->log.calls);
    outlet.configure(config->hep);
    log.set_level(config->sip.log_level);
    loop_log.set_level(config->sip.log_level);
    Output out;
    edge.set_settings(std::move(*settings), now(), out);
    configured = std::move(*config);
    learn_interfaces();
    resolver.reload();
    carry_out(out);
    return {};
}

/// Calls go on without their records.
void Service::Impl::open_call_file(const std::string& target) {
    if (const auto opened = call_file.open(target); !opened)
        log.failures("[log] calls: " + to_string(opened.error()) + "; records of calls are lost");
}

/// natkit's sockets are what is listened on, whatever this process makes of the host's addresses: natkit may wait for
/// some, and keeps those of an address that has gone for the moment.
void Service::Impl::fit(config::Config& config) const {
    if (!adopted) return;
    config.sip.listen = *adopted;
    config.sip.listen_given = true;
    if (const auto host = io::host_addresses()) static_cast<void>(config::apply_host(config, *host));
}

void Service::Impl::follow_adopted() {
    fit(configured);
    Settings settings = to_settings(configured);
    if (const auto host = io::host_addresses()) settings.set_networks(*host);
    settings.users = edge.settings().users;
    Output out;
    edge.set_settings(std::move(settings), now(), out);
    learn_interfaces();
    carry_out(out);
}

/// The certificates, read anew; connections that are open keep theirs.
Result<void> Service::Impl::load_tls(const config::Config& config) {
    auto context =
        crypto::TlsContext::load({.certificate = config.tls.certificate, .key = config.tls.key, .ca = config.tls.ca});
    if (!context) return fail(context.error().code, "[tls] " + context.error().message);
    streams.set_tls(std::move(*context));
    return {};
}

void Service::Impl::on_timer() {
    look_at_clock();
    Output out;
    if (!standby) {
        edge.on_time(now(), out);
    } else if (const auto gone = edge.on_standby_time(now(), out); !gone.empty()) {
        on_saved(bindings.apply({}, gone));
    }
    carry_out(out);
}

void Service::Impl::carry_out(Output& out) {
    if (demoted) return;
    // First what mediarelay must know: it may then hold when the first packet arrives.
    if (!standby) ask_relay(out.media);
    for (const sip::Packet& packet : out.packets) send(packet);
    for (const Event& event : out.events) tell(event);
    for (const Lookup& lookup : out.lookups) look_up(lookup);
    std::optional<Instant> next = standby ? edge.next_standby_deadline() : edge.next_deadline();
    if (const auto expiry = edge.next_expiry()) {
        const Instant at = loop.now() + std::max<Duration>(*expiry - wall(), std::chrono::milliseconds(1));
        if (!next || at < *next) next = at;
    }
    if (next) call_back_at(*next);
}

/// At that time or a little later: under load one round for many deadlines.
void Service::Impl::call_back_at(Instant time) {
    constexpr std::chrono::milliseconds slack{5};
    const Instant latest = std::max(time, loop.now() + slack);
    if (timer.active() && timer_at >= time && timer_at <= latest) return;
    timer_at = latest;
    timer.start_at(latest);
}

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Service::~Service() = default;

void Service::rotate() {
    impl_->open_call_file(impl_->configured.log.calls);
}

bool Service::starts_again() const {
    return impl_->demoted;
}

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, config::Config config, ServiceOptions options) {
    // The socket first: its lock says that no other process has this state.
    auto server = control::Server::listen(loop, options.runtime_dir + "/sipedge.sock");
    if (!server) return std::unexpected(server.error());
    auto bindings = store::Bindings::open_or_wait(config.registrar.state);
    auto keys = Keys::load(config, options.runtime_dir, io::wall_now());
    if (!keys) return std::unexpected(keys.error());
    auto settings = complete_settings(config);
    if (!settings) return std::unexpected(settings.error().front());
    auto impl = std::make_unique<Impl>(loop, config, std::move(*settings), std::move(options), std::move(bindings),
                                       std::move(*keys), std::move(*server));
    if (auto loaded = impl->load_tls(config); !loaded) return std::unexpected(loaded.error());
    impl->open_call_file(config.log.calls);
    impl->outlet.configure(config.hep);
    impl->learn_interfaces();
    if (impl->standing) impl->edge.set_epoch(impl->standing->epoch);
    impl->restore();
    if (!impl->options.adopt) {
        if (auto opened = impl->open_sockets(config); !opened) return std::unexpected(opened.error());
    }
    impl->serve();
    impl->streams.set_accepting(!impl->standby);
    if (!impl->standby) impl->watch_relay();
    impl->on_timer();  // what is due from the start
    if (config.registrar.open) {
        impl->log.major("[registrar] open = true: anybody may register and call; for a laboratory only");
    }
    return std::unique_ptr<Service>(new Service(std::move(impl)));
}

}  // namespace natkit::edge
