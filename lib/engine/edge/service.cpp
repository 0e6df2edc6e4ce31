#include "natkit/engine/edge/service.hpp"

#include <algorithm>
#include <filesystem>

#include "natkit/crypto/crypto.hpp"
#include "natkit/io/host.hpp"
#include "natkit/ping/pinger.hpp"
#include "service_impl.hpp"

namespace natkit::edge {
namespace {

/// The key of flow tokens, beside the state; a state in memory only has a key of this run only.
Result<store::Secret> flow_key(const std::string& state_path) {
    if (!state_path.empty()) {
        const auto folder = std::filesystem::path(state_path).parent_path();
        return store::load_or_make_secret((folder / "secret").string(), crypto::random_bytes);
    }
    store::Secret secret{};
    crypto::random_bytes(secret);
    return secret;
}

}  // namespace

Secrets secrets_with(const store::Secret& key) {
    return {.random_hex = [] { return crypto::random_hex(8); },
            .mac = [key](std::span<const std::uint8_t> data) { return crypto::hmac_sha256(key, data); }};
}

Settings to_settings(const config::Config& config) {
    Settings settings;
    settings.networks = config.network.lists;
    for (const config::Listen& listen : config.sip.listen) {
        if (listen.transport != config::Transport::udp) continue;
        const bool lan = config::side_of(listen.endpoint.address, config) == nat::Place::lan;
        settings.listeners.push_back({.transport = sip::Transport::udp,
                                      .bound = listen.endpoint,
                                      .advertised = {.address = config::advertised(listen.endpoint.address, config),
                                                     .port = listen.endpoint.port},
                                      .side = lan ? Side::lan : Side::wan});
    }
    settings.domains = config.sip.domains;
    settings.open_registrar = config.registrar.open;
    settings.same_nat = config.media_proxy.relay_same_nat;
    settings.relay_for = config.media_proxy.relay_for;
    const auto seconds = [](config::Milliseconds time) {
        return std::chrono::duration_cast<std::chrono::seconds>(time);
    };
    settings.registrar.min_expires = seconds(config.registrar.min_expires);
    settings.registrar.max_expires = seconds(config.registrar.max_expires);
    settings.max_dialog = seconds(config.sip.max_dialog);
    return settings;
}

void Service::Impl::restore() {
    const auto rows = bindings.load();
    if (!rows) return log.failures(to_string(rows.error()));
    std::size_t restored = 0;
    for (const store::BindingRow& row : *rows) {
        auto binding = from_row(row);
        if (!binding) {
            log.problems("state: " + row.id + ": " + to_string(binding.error()));
            continue;
        }
        if (binding->expires > wall_now()) ++restored;
        edge.restore(std::move(*binding), wall_now());
    }
    if (restored > 0) log.major(std::to_string(restored) + " registrations taken up from before the restart");
}

void Service::Impl::learn_interfaces() {
    const auto host = io::host_addresses();
    if (!host) return log.failures(to_string(host.error()));
    sides.clear();
    for (const HostAddress& own : *host) {
        const bool lan = edge.settings().networks.lan.contains(own.address);
        const auto [at, fresh] = sides.try_emplace(own.index, lan ? Side::lan : Side::wan);
        if (lan) at->second = Side::lan;
    }
}

void Service::Impl::add_socket(io::Fd fd) {
    const auto local = io::local_endpoint(fd);
    if (!local) return log.failures(to_string(local.error()));
    sockets[*local] = std::make_unique<io::UdpSocket>(loop, std::move(fd), [this, at = *local](const io::Datagram& d) {
        if (const auto found = sockets.find(at); found != sockets.end()) on_datagram(*found->second, d);
    });
}

Result<void> Service::Impl::open_sockets() {
    for (const Listener& listener : edge.settings().listeners) {
        auto fd = io::open_udp(listener.bound);
        if (!fd) return std::unexpected(fd.error());
        add_socket(std::move(*fd));
    }
    return {};
}

Result<void> Service::Impl::adopt(const Json& request, std::vector<io::Fd> descriptors) {
    const auto names = request.find("sockets");
    if (names == request.end() || !names->is_array() || names->size() != descriptors.size()) {
        return fail(Errc::usage, "adopt: as many sockets as descriptors");
    }
    sockets.clear();
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
        const auto& name = (*names)[i];
        const auto listen = config::Listen::parse(name.is_string() ? name.get<std::string>() : std::string());
        if (!listen) return std::unexpected(listen.error());
        if (listen->transport == config::Transport::udp) add_socket(std::move(descriptors[i]));
    }
    return {};
}

Result<void> Service::Impl::reload() {
    auto loaded = config::load_or_default(options.config_file, options.base_dir);
    if (!loaded) return std::unexpected(loaded.error().front());
    const auto host = io::host_addresses();
    if (!host) return std::unexpected(host.error());
    (void)config::apply_host(loaded->config, *host);
    edge.set_settings(to_settings(loaded->config));
    log.set_level(loaded->config.sip.log_level);
    learn_interfaces();
    return {};
}

/// The branch of the topmost Via, if the message is an answer to one of natpinger's OPTIONS.
std::optional<std::string> ping_branch(std::string_view message) {
    if (!message.starts_with("SIP/2.0 ")) return std::nullopt;
    constexpr std::string_view start = ";branch=";
    const std::size_t at = message.find(start);
    if (at == std::string_view::npos) return std::nullopt;
    message.remove_prefix(at + start.size());
    if (!message.starts_with(ping::Pinger::branch_prefix)) return std::nullopt;
    return std::string(message.substr(0, std::min<std::size_t>(message.find_first_of(";, \r\n"), 80)));
}

void Service::Impl::on_datagram(const io::UdpSocket& socket, const io::Datagram& datagram) {
    const std::string_view text(reinterpret_cast<const char*>(datagram.bytes.data()), datagram.bytes.size());
    if (const auto branch = ping_branch(text)) {
        if (server->watched()) {
            server->publish({{"type", "ping-answer"}, {"branch", *branch}, {"source", to_string(datagram.source)}});
        }
        return;
    }
    const auto side = sides.find(datagram.interface_index);
    const Arrival arrival{
        .flow = {.transport = sip::Transport::udp, .local = socket.local(), .remote = datagram.source},
        .side = side == sides.end() ? Side::wan : side->second};
    std::string bytes(reinterpret_cast<const char*>(datagram.bytes.data()), datagram.bytes.size());
    Output out;
    edge.on_packet(arrival, std::move(bytes), now(), out);
    carry_out(out);
}

void Service::Impl::on_timer() {
    Output out;
    edge.on_time(now(), out);
    carry_out(out);
}

void Service::Impl::carry_out(Output& out) {
    // First what mediarelay must know: it may then hold when the first packet arrives.
    for (const MediaRequest& request : out.media) ask_relay(request);
    for (const sip::Packet& packet : out.packets) {
        const auto socket = sockets.find(packet.flow.local);
        if (socket == sockets.end()) {
            log.problems("no socket " + to_string(packet.flow.local) + " to send to " + to_string(packet.flow.remote));
            continue;
        }
        const auto sent = socket->second->send(packet.flow.remote, *packet.bytes);
        if (sent.status == io::SendStatus::failed && log.on(LogLevel::problems)) {
            log.problems("send to " + to_string(packet.flow.remote) +
                         " failed: " + fail_errno("sendto", sent.error_number).error().message);
        }
    }
    for (const Event& event : out.events) tell(event);
    std::optional<Instant> next = edge.next_deadline();
    if (const auto expiry = edge.next_expiry()) {
        const Instant at = loop.now() + std::max<Duration>(*expiry - wall_now(), std::chrono::milliseconds(1));
        if (!next || at < *next) next = at;
    }
    if (next) timer.start_at(*next);
}

Service::Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Service::~Service() = default;

Result<std::unique_ptr<Service>> Service::start(io::Loop& loop, config::Config config, ServiceOptions options) {
    auto bindings = store::Bindings::open(config.registrar.state);
    if (!bindings) return std::unexpected(bindings.error());
    const auto key = flow_key(config.registrar.state);
    if (!key) return std::unexpected(key.error());
    auto server = control::Server::listen(loop, options.runtime_dir + "/sipedge.sock");
    if (!server) return std::unexpected(server.error());
    auto impl =
        std::make_unique<Impl>(loop, config, std::move(options), std::move(*bindings), *key, std::move(*server));
    impl->learn_interfaces();
    impl->restore();
    if (!impl->options.adopt) {
        if (auto opened = impl->open_sockets(); !opened) return std::unexpected(opened.error());
    }
    impl->serve();
    impl->watch_relay();
    if (config.registrar.open) {
        impl->log.major("[registrar] open = true: anybody may register and call; for a laboratory only");
    }
    return std::unique_ptr<Service>(new Service(std::move(impl)));
}

}  // namespace natkit::edge
