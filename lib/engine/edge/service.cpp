#include "natkit/engine/edge/service.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "natkit/crypto/crypto.hpp"
#include "natkit/engine/control/client.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/edge/edge.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/host.hpp"
#include "natkit/io/udp.hpp"
#include "natkit/ping/pinger.hpp"
#include "natkit/store/bindings.hpp"
#include "natkit/store/secret.hpp"
#include "records.hpp"

namespace natkit::edge {
namespace {

WallTime wall_now() {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

const char* event_word(sip::BindingChange::Kind kind) {
    switch (kind) {
        case sip::BindingChange::Kind::added: return "added";
        case sip::BindingChange::Kind::updated: return "updated";
        case sip::BindingChange::Kind::removed: return "removed";
    }
    return "unknown";
}

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

Secrets secrets_with(const store::Secret& key) {
    return {.random_hex = [] { return crypto::random_hex(8); },
            .mac = [key](std::span<const std::uint8_t> data) { return crypto::hmac_sha256(key, data); }};
}

}  // namespace

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

struct Service::Impl {
    Impl(io::Loop& loop_, const config::Config& config, ServiceOptions options_, store::Bindings bindings_,
         const store::Secret& key, std::unique_ptr<control::Server> server_)
        : loop(loop_),
          options(std::move(options_)),
          log("SIPEDGE", config.sip.log_level),
          bindings(std::move(bindings_)),
          server(std::move(server_)),
          relay(loop, options.runtime_dir + "/mediarelay.sock", control::random_prefix()),
          timer(loop, [this] { on_timer(); }),
          edge(to_settings(config), secrets_with(key)),
          started(loop.now()) {}

    [[nodiscard]] Now now() const { return {.steady = loop.now(), .wall = wall_now()}; }

    void restore();
    void serve();
    void serve_state();
    void watch_relay();
    void take_up_calls();
    void take_up_page(std::uint64_t after);
    [[nodiscard]] Result<void> open_sockets();
    [[nodiscard]] Result<void> adopt(const Json& request, std::vector<io::Fd> sockets);
    [[nodiscard]] Result<void> reload();
    void add_socket(io::Fd fd);
    void learn_interfaces();
    void on_datagram(const io::UdpSocket& socket, const io::Datagram& datagram);
    void on_timer();
    void carry_out(Output& out);
    void ask_relay(const MediaRequest& request);
    void tell(const Event& event);
    void keep(const sip::BindingChange& change);
    [[nodiscard]] Json status() const;

    io::Loop& loop;
    ServiceOptions options;
    log::Logger log;
    store::Bindings bindings;
    std::unique_ptr<control::Server> server;
    control::Client relay;
    io::Timer timer;
    Edge edge;
    Instant started;
    std::map<Endpoint, std::unique_ptr<io::UdpSocket>> sockets;
    const std::string owner = "sipedge";  ///< of our legs, from one start to the next
    std::map<std::uint32_t, Side> sides;  ///< by interface index
};

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

void Service::Impl::ask_relay(const MediaRequest& request) {
    const auto told = [this](const char* what) {
        return [this, what](Result<Json> reply) {
            if (!reply) log.problems(std::string("mediarelay: ") + what + ": " + to_string(reply.error()));
        };
    };
    if (const auto* open = std::get_if<OpenLeg>(&request)) {
        Json wanted = open_request(*open);
        wanted["owner"] = owner;
        relay.request("open", wanted, [this, ticket = open->ticket](Result<Json> reply) {
            Output out;
            auto leg = reply ? read_leg(*reply) : Result<Leg>(std::unexpected(reply.error()));
            edge.on_leg_opened(ticket, std::move(leg), now(), out);
            carry_out(out);
        });
    } else if (const auto* update = std::get_if<UpdateLeg>(&request)) {
        relay.request("update", update_request(*update), told("update"));
    } else if (const auto* join = std::get_if<JoinLegs>(&request)) {
        relay.request("join", {{"a", join->a}, {"b", join->b}}, told("join"));
    } else if (const auto* free = std::get_if<FreeLegs>(&request)) {
        relay.request("free", {{"legs", free->legs}}, told("free"));
    } else if (const auto* keep = std::get_if<KeepState>(&request)) {
        relay.request("update", {{"leg", keep->leg}, {"owner_state", state_record(keep->state)}}, told("owner_state"));
    }
}

/// After a start: the calls whose state mediarelay kept go on; their legs are claimed, all others of ours are freed by
/// mediarelay 30 s later.
void Service::Impl::take_up_calls() {
    relay.request("claim", {{"owner", owner}}, [this](Result<Json> reply) {
        if (!reply) return log.problems("mediarelay: claim: " + to_string(reply.error()));
        take_up_page(0);
    });
}

void Service::Impl::take_up_page(std::uint64_t after) {
    relay.request("list", {{"owner", owner}, {"after", after}}, [this](Result<Json> reply) {
        if (!reply || !reply->contains("legs")) return;
        std::size_t calls = 0;
        for (const Json& leg : (*reply)["legs"]) {
            if (!leg.contains("owner_state")) continue;
            const auto state = read_state(leg["owner_state"]);
            if (!state) {
                log.problems("mediarelay: a call was kept, but: " + to_string(state.error()));
                continue;
            }
            const auto legs = edge.media().restore(*state, loop.now());
            if (legs.empty()) continue;
            ++calls;
            relay.request("claim", {{"owner", owner}, {"legs", legs}}, [](const Result<Json>&) {});
        }
        if (calls > 0) log.major(std::to_string(calls) + " calls taken up from before the restart");
        if (reply->contains("next")) return take_up_page((*reply)["next"].get<std::uint64_t>());
        Output out;  // nothing to send, but timers to start
        carry_out(out);
    });
}

void Service::Impl::keep(const sip::BindingChange& change) {
    const bool removed = change.kind == sip::BindingChange::Kind::removed;
    const auto kept = removed ? bindings.remove(change.binding.id) : bindings.save(to_row(change.binding));
    if (!kept) log.failures(to_string(kept.error()) + "; registrations will not survive a restart");
    server->publish(client_record(change.binding, event_word(change.kind), wall_now()));
}

void Service::Impl::tell(const Event& event) {
    if (const auto* line = std::get_if<LogEvent>(&event)) {
        log.write(line->level, line->text);
    } else if (const auto* change = std::get_if<sip::BindingChange>(&event)) {
        keep(*change);
    } else if (const auto* decision = std::get_if<DecisionEvent>(&event)) {
        const Json record = decision_record(*decision);
        if (log.on(LogLevel::major)) {
            log.major("call " + text::printable(decision->call_id, 80) + ": " +
                      to_string(decision->caller_flow.remote) + " " + nat::to_string(decision->caller.place) + " -> " +
                      to_string(decision->callee_flow.remote) + " " + nat::to_string(decision->callee.place) + ": " +
                      (decision->decision.relay ? "media proxy" : "no media proxy") + " " + record["reasons"].dump());
        }
        server->publish(record);
    } else if (const auto* rewrite = std::get_if<RewriteEvent>(&event)) {
        server->publish(rewrite_record(*rewrite));
    } else if (const auto* call = std::get_if<CallEvent>(&event)) {
        server->publish(call_event_record(*call));
    }
}

Json Service::Impl::status() const {
    return {{"name", "sipedge"},
            {"pid", ::getpid()},
            {"uptime_s", std::chrono::duration_cast<std::chrono::seconds>(loop.now() - started).count()},
            {"clients", edge.registrar().size()},
            {"calls", const_cast<Edge&>(edge).media().size()},
            {"transactions", edge.transactions()},
            {"mediarelay", relay.connected() ? "connected" : "not connected"}};
}

void Service::Impl::serve() {
    using Repeat = control::Server::Repeat;
    const auto answer = [](const control::Reply& reply, const Result<void>& done) {
        if (done) return reply.ok(Json::object());
        reply.error(done.error());
    };
    server->on("adopt", [this, answer](const Json& request, std::vector<io::Fd> fds, control::Reply reply) {
        answer(reply, adopt(request, std::move(fds)));
    });
    server->on(
        "listeners",
        [this](const Json&, std::vector<io::Fd>, control::Reply reply) {
            Json names = Json::array();
            std::vector<io::Fd> copies;
            for (const auto& [local, socket] : sockets) {
                auto copy = socket->fd().duplicate();
                if (!copy) continue;
                names.push_back("udp:" + to_string(local));
                copies.push_back(std::move(*copy));
            }
            reply.ok({{"sockets", std::move(names)}}, std::move(copies));
        },
        Repeat::run);
    server->on("reload",
               [this, answer](const Json&, std::vector<io::Fd>, control::Reply reply) { answer(reply, reload()); });
    server->on("drain", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        edge.set_draining(request.value("on", true));
        reply.ok(Json::object());
    });
    server->on("client-dead", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        Output out;
        edge.on_client_dead(request.value("id", ""), request.value("reason", ""), out);
        carry_out(out);
        reply.ok(Json::object());
    });
    server->on("log-level", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        const auto level = parse_log_level(request.value("level", ""));
        if (!level) return reply.error(level.error());
        log.set_level(*level);
        reply.ok(Json::object());
    });
    server->on("trace", [this](const Json& request, std::vector<io::Fd>, control::Reply reply) {
        edge.media().set_verbose(request.value("on", true));
        reply.ok(Json::object());
    });
    server->on("stop", [this](const Json&, std::vector<io::Fd>, control::Reply reply) {
        reply.ok(Json::object());
        (void)loop.post([this] { loop.stop(); });
    });
    server->on(
        "status", [this](const Json&, std::vector<io::Fd>, control::Reply reply) { reply.ok(status()); }, Repeat::run);
    serve_state();
}

void Service::Impl::serve_state() {
    using Repeat = control::Server::Repeat;
    server->on(
        "calls",
        [this](const Json&, std::vector<io::Fd>, control::Reply reply) {
            Json list = Json::array();
            for (const auto& call : edge.media().summaries()) list.push_back(call_record(call));
            reply.ok({{"calls", std::move(list)}});
        },
        Repeat::run);
    server->on(
        "clients",
        [this](const Json&, std::vector<io::Fd>, control::Reply reply) {
            Json list = Json::array();
            for (const auto& one : edge.registrar().all()) list.push_back(client_record(one, "present", wall_now()));
            reply.ok({{"clients", std::move(list)}});
        },
        Repeat::run);
    server->set_snapshot([this](const std::function<void(const Json&)>& send) {
        for (const sip::Binding& binding : edge.registrar().all()) send(client_record(binding, "added", wall_now()));
    });
}

void Service::Impl::watch_relay() {
    relay.on_state([this](bool connected, const std::string& why) {
        if (connected) return log.low_level("connected to mediarelay");
        log.low_level("not connected to mediarelay: " + why);
    });
    take_up_calls();  // waits for the connection; a restarted mediarelay knows its legs' owners by itself
    relay.watch([this](const Json& record) {
        if (record.value("type", "") != "timeout" || !record.contains("legs")) return;
        std::vector<std::string> legs;
        for (const Json& leg : record["legs"]) {
            if (leg.is_string()) legs.push_back(leg.get<std::string>());
        }
        Output out;
        edge.on_legs_lost(legs, out);
        carry_out(out);
    });
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
