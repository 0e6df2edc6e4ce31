#include <algorithm>
#include <functional>

#include "natkit/base/text.hpp"
#include "natkit/crypto/crypto.hpp"
#include "natkit/engine/daemon/adopt.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/ping/pinger.hpp"
#include "service_impl.hpp"

namespace natkit::edge {
namespace {

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

}  // namespace

std::uint64_t first_connection() {
    std::array<std::uint8_t, 4> random{};
    crypto::random_bytes(random);
    std::uint64_t number = 1;
    for (const std::uint8_t byte : random) number = number << 8 | byte;
    return (number & 0xfffffff) << 24 | 1;
}

Streams::Handlers Service::Impl::stream_handlers() {
    return {.on_message =
                [this](const sip::Flow& flow, std::string message) {
                    // Whoever completes a handshake is where its address says, so the address tells the side.
                    const bool lan = edge.settings().networks.lan.contains(flow.remote.address);
                    const Listener* listener = edge.settings().find(flow.transport, flow.local);
                    const Side side = lan ? Side::lan : listener == nullptr ? Side::wan : listener->side;
                    if (standby) return;
                    const std::string copy = collector.on() ? message : std::string();
                    const std::uint64_t flooded = edge.flooded();
                    Output out;
                    edge.on_packet({.flow = flow, .side = side}, std::move(message), now(), out);
                    took(flow, copy, flooded, out);
                },
            .on_closed =
                [this](const sip::Flow& flow, const std::string& why) {
                    if (log.on(LogLevel::low_level)) log.low_level("closed: " + to_string(flow) + ": " + why);
                    Output out;
                    edge.on_flow_closed(flow, why, now(), out);
                    carry_out(out);
                },
            .on_unreachable =
                [this](const sip::Flow& flow, const std::string& why) {
                    Output out;
                    edge.on_flow_unreachable(flow, why, now(), out);
                    carry_out(out);
                },
            .needed = [this](const sip::Flow& flow) { return edge.registrar().on_flow(flow) != nullptr; },
            .keeps = [this](const sip::Flow& flow) { return edge.kind_of(flow) != proxy::Sender::stranger; },
            .in_use = [this] { return edge.needed_connections(); },
            .name_of = [this](const sip::Flow& flow) { return edge.name_of(flow); },
            .on_problem = [this](const std::string& text) { log.problems(text); }};
}

Result<void> Service::Impl::add_socket(const config::Listen& at, io::Fd fd) {
    if (at.transport != config::Transport::udp) return streams.listen(at.transport, std::move(fd));
    const auto local = io::local_endpoint(fd);
    if (!local) return std::unexpected(local.error());
    sockets[*local] =
        std::make_unique<io::UdpSocket>(loop, std::move(fd), std::bind_front(&Impl::on_datagram, this, *local));
    sockets[*local]->read(reading || standby);
    return {};
}

Result<void> Service::Impl::open_sockets(const config::Config& config) {
    for (const config::Listen& listen : config.sip.listen) {
        if (edge.settings().find(listen.transport, listen.endpoint) == nullptr) continue;
        auto fd = listen.transport == config::Transport::udp
                      ? io::open_udp(listen.endpoint, {.tos = {}, .receive_buffer = 4 << 20})
                      : io::open_tcp_listener(listen.endpoint);
        if (!fd) return std::unexpected(fd.error());
        if (auto added = add_socket(listen, std::move(*fd)); !added) return added;
    }
    return {};
}

/// All of them, or none: the sockets there are go on when the request cannot be done.
Result<void> Service::Impl::adopt(const Json& request, std::vector<io::Fd> descriptors) {
    auto wanted = daemon::read_adopted(request, descriptors);
    if (!wanted) return std::unexpected(wanted.error());
    sockets.clear();
    streams.stop_listening();  // connections stay
    for (std::size_t i = 0; i < wanted->size(); ++i) {
        if (const auto added = add_socket((*wanted)[i], std::move(descriptors[i])); !added)
            log.failures(to_string((*wanted)[i]) + ": " + to_string(added.error()));
    }
    const bool same = adopted == *wanted;
    adopted = std::move(*wanted);
    if (!same) follow_adopted();
    return {};
}

Json Service::Impl::listeners(std::vector<io::Fd>& copies) const {
    Json names = Json::array();
    const auto add = [&](sip::Transport transport, const Endpoint& local, const io::Fd& fd) {
        auto copy = fd.duplicate();
        if (!copy) return;
        names.push_back(std::string(to_string(transport)) + ":" + to_string(local));
        copies.push_back(std::move(*copy));
    };
    for (const auto& [local, socket] : sockets) add(sip::Transport::udp, local, socket->fd());
    for (const auto& [transport, listener] : streams.listening()) add(transport, listener->local(), listener->fd());
    return names;
}

void Service::Impl::on_datagram(const Endpoint& local, const io::Datagram& datagram) {
    if (!sockets.contains(local) || standby) return;
    const std::string_view text(reinterpret_cast<const char*>(datagram.bytes.data()), datagram.bytes.size());
    if (const auto branch = ping_branch(text)) {
        if (server->watched()) {
            server->publish({{"type", "ping-answer"}, {"branch", *branch}, {"source", to_string(datagram.source)}});
        }
        return;
    }
    look_at_clock();
    auto side = sides.find(datagram.interface_index);
    if (side == sides.end() && loop.now() - sides_learned > std::chrono::seconds(1)) {
        learn_interfaces();  // one that came, or came back with another index
        side = sides.find(datagram.interface_index);
    }
    const Arrival arrival{
        .flow = {.transport = sip::Transport::udp, .local = local, .remote = datagram.source, .connection = 0},
        .side = side == sides.end() ? Side::wan : side->second};
    const std::uint64_t flooded = edge.flooded();
    Output out;
    edge.on_packet(arrival, std::string(text), now(), out);
    took(arrival.flow, text, flooded, out);
}

void Service::Impl::took(const sip::Flow& flow, std::string_view copy, std::uint64_t flooded, Output& out) {
    // A flood is not doubled.
    if (collector.on() && edge.flooded() == flooded) copy_received(flow, copy);
    carry_out(out);
}

void Service::Impl::send(const sip::Packet& packet) {
    if (standby) return;
    if (packet.flow.transport != sip::Transport::udp) {
        if (streams.send(packet.flow, *packet.bytes)) return copy_sent(packet);
        if (log.on(LogLevel::low_level)) {
            log.low_level("not sent: no connection " + to_string(packet.flow) + " any more");
        }
        return;
    }
    const auto socket = sockets.find(packet.flow.local);
    if (socket == sockets.end()) {
        log.problems("no socket " + to_string(packet.flow.local) + " to send to " + to_string(packet.flow.remote));
        return;
    }
    const auto sent = socket->second->send(packet.flow.remote, *packet.bytes);
    if (sent.status == io::SendStatus::failed) return tell_unsent(packet.flow.remote, sent.error_number);
    if (sent.status == io::SendStatus::sent) copy_sent(packet);
}

/// A line a second: answers to a flood from made-up addresses may all fail.
void Service::Impl::tell_unsent(const Endpoint& remote, int error_number) {
    constexpr std::chrono::seconds tell_again{1};
    if (unsent_told && loop.now() - *unsent_told < tell_again) {
        ++unsent_since;
        return;
    }
    const std::string others = unsent_since == 0 ? "" : "; and " + std::to_string(unsent_since) + " others before";
    const char* meaning = io::is_of_this_host(error_number) ? " (its address or route is not on this host now)" : "";
    log.problems("send to " + to_string(remote) + " failed: " + fail_errno("sendto", error_number).error().message +
                 meaning + others);
    unsent_told = loop.now();
    unsent_since = 0;
}

void Service::Impl::look_up(const Lookup& lookup) {
    std::array<std::uint8_t, 8> random{};
    crypto::random_bytes(random);
    std::uint64_t seed = 0;
    for (const std::uint8_t byte : random) seed = seed << 8 | byte;
    resolver.locate(lookup.uri, lookup.abilities, seed, [this, ticket = lookup.ticket](const sip::Location& location) {
        Output out;
        edge.on_located(ticket, location, now(), out);
        carry_out(out);
    });
}

/// natpinger's clients over TCP and TLS: the connection is ours, and so is the sending.
Result<void> Service::Impl::ping_connection(const Json& request) {
    const auto connection = request.find("connection");
    if (connection == request.end() || !connection->is_number_unsigned()) {
        return fail(Errc::usage, "ping-connection: connection: a number expected");
    }
    sip::Flow flow;
    flow.transport = sip::Transport::tcp;
    flow.connection = connection->get<std::uint64_t>();
    if (flow.connection == 0 || !streams.ping(flow)) return fail(Errc::not_found, "its connection is over");
    return {};
}

}  // namespace natkit::edge
