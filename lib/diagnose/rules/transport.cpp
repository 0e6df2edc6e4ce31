#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Messages that do not get through: fragments, TCP, the port of a response.
namespace natkit::diagnose {
namespace {

constexpr std::size_t usual_mtu = 1500;
constexpr std::size_t udp_headers = 28;  ///< IPv4; IPv6 has more

bool answered(const Call& call, const Request& request) {
    return std::ranges::any_of(call.requests, [&](const Request& one) {
        return one.method == request.method && one.cseq == request.cseq && one.sender == request.sender &&
               std::ranges::any_of(one.responses, [](const Response& response) {
                   return response.status < 300 && response.status != 100;
               });
    });
}

bool is_large(const Request& request) {
    return !request.tcp && request.bytes > usual_mtu - udp_headers;
}

/// To somewhere that small messages get to, and no large one has.
bool may_get_there(const Case& one, const Request& request) {
    const auto& all = one.call().requests;
    const auto answers = [&](const Request& earlier) {
        return earlier.status != 0 && earlier.destination.address == request.destination.address;
    };
    const bool unreachable =
        one.is_private(request.destination.address) && !one.paths().seen(request.destination.address);
    return !unreachable &&
           std::ranges::none_of(all, [&](const Request& earlier) { return answers(earlier) && is_large(earlier); }) &&
           std::ranges::any_of(all, answers);
}

Finding cut_by_a_filter(const Request& request, bool harmless) {
    return {.cause = Cause::fragments_lost,
            .sentence = "The capture is cut: " + request.method + " in frame " + std::to_string(request.frame) +
                        " is the first fragment of a larger datagram, and its other fragments are not in the capture.",
            .change =
                "A filter by port loses later fragments, which have none: capture with \"or ip[6:2] & 0x1fff != "
                "0\" added (or \"ip6 proto 44\"). If they are missing on the wire too, something drops them.",
            .confidence = Confidence::possible,
            .harmless = harmless,
            .frames = {request.frame}};
}

Finding fragments_dropped(const Request& request) {
    return {.cause = Cause::fragments_lost,
            .sentence = request.method + " from " + to_string(request.source) + " to " +
                        to_string(request.destination) + " is larger than one packet (" +
                        std::to_string(request.bytes) + " bytes" + (request.incomplete ? " of it are here" : "") +
                        "), was sent as fragments " + times(request.copies) + " (first in frame " +
                        std::to_string(request.frame) + "), and nobody answered: fragments are dropped on the way" +
                        (request.incomplete ? "; only the first ones come here." : "."),
            .change =
                "Send it over TCP or TLS (RFC 3261 section 18.1.1), make it smaller (fewer codecs), or let the "
                "firewall or NAT on the way pass fragments.",
            .confidence = request.incomplete ? Confidence::seen : Confidence::inferred,
            .frames = {request.frame, request.last_frame}};
}

const TcpConnection* closed_before(const Case& one, const IpAddress& host, std::int64_t time_ns) {
    for (const TcpConnection& connection : one.facts().connections) {
        const bool there = connection.client.address == host || connection.server.address == host;
        if (there && connection.closed && connection.closed->time_ns < time_ns) return &connection;
    }
    return nullptr;
}

/// A host that has answered the call: who cannot connect to it is somebody else.
bool answers_here(const Call& call, const Endpoint& server) {
    return std::ranges::any_of(call.requests, [&](const Request& request) {
        return request.destination.address == server.address && request.status != 0;
    });
}

/// A request of the call was sent over it, that way.
bool carries_request(const Call& call, const TcpConnection& connection, bool from_client) {
    const Endpoint& from = from_client ? connection.client : connection.server;
    const Endpoint& to = from_client ? connection.server : connection.client;
    return std::ranges::any_of(call.requests, [&](const Request& request) {
        return request.tcp && request.source == from && request.destination == to;
    });
}

Finding no_connection(const Case& one, const TcpConnection& connection) {
    const bool unreachable = one.is_private(connection.server.address) && !one.paths().seen(connection.server.address);
    const std::string syn = "SYN " + times(connection.syns) + " from " + to_string(connection.client) + " to " +
                            to_string(connection.server) + " (frame " + std::to_string(connection.first_frame) + ")" +
                            (connection.refused() ? " was refused" : " without any answer");
    if (unreachable)
        return {.cause = Cause::not_reachable,
                .sentence = "The call cannot get to its receiver: " + syn +
                            ": that is a private address, of which "
                            "the outside knows nothing.",
                .change = "Send requests to a client over the connection that it registered by (natkit: " +
                          to_string(connection.server.address) +
                          " must lie in [network] nated; Kamailio: nat_uac_test, fix_nated_register, "
                          "add_contact_alias).",
                .frames = {connection.first_frame}};
    const TcpConnection* before = closed_before(one, connection.server.address, connection.first_ns);
    std::string closed;
    if (before != nullptr) closed = "; its own connection was closed in frame " + std::to_string(before->closed->frame);
    return {.cause = Cause::connection_gone,
            .sentence = "The call cannot get to its receiver over TCP: " + syn + closed +
                        ". A client behind a NAT can be reached over its own connection only.",
            .change =
                "Let the client keep its connection open (RFC 5626 keepalives) and register again when it is "
                "gone; the server must forget a registration whose connection has ended.",
            .frames = {connection.first_frame}};
}

Finding dead_connection(const TcpConnection& connection, bool from_client) {
    const TcpConnection::Half& half = from_client ? connection.from_client : connection.from_server;
    const Endpoint& from = from_client ? connection.client : connection.server;
    const Endpoint& to = from_client ? connection.server : connection.client;
    return {.cause = Cause::connection_gone,
            .sentence = "The TCP connection from " + to_string(from) + " to " + to_string(to) +
                        " is gone: what was sent in frame " + std::to_string(half.unacknowledged_frame) +
                        " was sent again " + times(static_cast<unsigned>(half.again)) +
                        " and never acknowledged. A NAT or firewall on the way has forgotten the connection, or the "
                        "host has.",
            .change =
                "Let the client send keepalives more often than the NAT forgets (RFC 5626; natkit: [pinger] "
                "tcp_interval), and the server forget registrations whose connection does not answer.",
            .frames = {half.unacknowledged_frame}};
}

/// A request of the call that its receiver answered by RST and nothing else, or null.
const Request* reset_instead(const Call& call, const TcpConnection& connection) {
    if (!connection.closed || !connection.closed->reset) return nullptr;
    const bool by_client = connection.closed->by_client;
    const Endpoint& from = by_client ? connection.server : connection.client;
    const Endpoint& to = by_client ? connection.client : connection.server;
    const auto found = std::ranges::find_if(call.requests, [&](const Request& request) {
        const std::int64_t after = connection.closed->time_ns - request.first_ns;
        return request.tcp && request.status == 0 && request.method != "ACK" && request.source == from &&
               request.destination == to && after >= 0 && after < 2 * second_ns;
    });
    return found == call.requests.end() ? nullptr : &*found;
}

Finding reset_connection(const TcpConnection& connection, const Request& request) {
    return {.cause = Cause::connection_gone,
            .sentence = "The TCP connection from " + to_string(request.source) + " to " +
                        to_string(request.destination) + " is gone: " + request.method + " in frame " +
                        std::to_string(request.frame) + " was answered by a reset (RST, frame " +
                        std::to_string(connection.closed->frame) +
                        "). The host there does not know the connection any more, as after a restart.",
            .change =
                "Let the client register again when it has started, or its connection is gone; the server must "
                "forget a registration whose connection has ended.",
            .frames = {request.frame, connection.closed->frame}};
}

/// Where the request came from, as its receiver sees it: on the other side of the NAT, where both are in the capture.
Endpoint outer_source(const Call& call, const Request& request) {
    for (const Translation& one : call.translations) {
        if (one.inside == request.source) return one.outside;
    }
    return request.source;
}

constexpr const char* ask_for_rport =
    "Let the phone ask for rport (RFC 3581), or the server answer to where the request came from all the same (natkit "
    "does; Kamailio: force_rport(); Asterisk: force_rport=yes).";

/// Seen inside the NAT: not even a provisional response comes in.
bool never_heard(const Case& one, const Request& request) {
    const bool begins = request.method == "REGISTER" || request.method == "INVITE";
    return begins && request.status == 0 && !request.in_dialog && one.is_private(request.source.address) &&
           !one.is_private(request.destination.address);
}

Finding answers_shut_out(const Request& request) {
    return {.cause = Cause::rport_missing,
            .sentence = request.method + " was sent " + times(request.copies) + " from " + to_string(request.source) +
                        " to " + to_string(request.destination) +
                        ", and no answer comes in. It asks for no rport: its answers go to the port in its Via, which "
                        "a NAT does not pass on where it gives it another one. Or nobody answers.",
            .change = ask_for_rport,
            .confidence = Confidence::possible,
            .frames = {request.frame, request.last_frame}};
}

}  // namespace

bool fragments_missing(const Case& one, Findings& findings) {
    for (const Request& request : one.call().requests) {
        const bool whole = answered(one.call(), request);
        const bool large = is_large(request);
        if (request.incomplete && (whole || request.copies < few_copies)) {
            if (whole || request.status == 0) findings.add(cut_by_a_filter(request, whole));
        } else if ((request.incomplete || large) && request.status == 0 && request.copies >= few_copies &&
                   (!request.in_dialog || may_get_there(one, request))) {
            findings.add(fragments_dropped(request));
        } else {
            continue;
        }
        return false;
    }
    return false;
}

bool connection_lost(const Case& one, Findings& findings) {
    const Call& call = one.call();
    const bool by_people = call.failure == 486 || call.failure == 600 || call.failure == 603;
    if (call.registration || by_people) return false;
    for (const TcpConnection& connection : one.facts().connections) {
        if (connection.last_ns < call.first_ns) continue;
        const bool attempt = connection.syns > 1 || connection.refused();
        const bool for_this =
            connection.first_ns >= call.first_ns - second_ns && !answers_here(call, connection.server);
        if (!call.answered && attempt && !connection.accepted && for_this) {
            findings.add(no_connection(one, connection));
            return false;
        }
        if (const Request* request = reset_instead(call, connection)) {
            findings.add(reset_connection(connection, *request));
            return false;
        }
        for (const bool from_client : {true, false}) {
            const auto& half = from_client ? connection.from_client : connection.from_server;
            const auto& back = from_client ? connection.from_server : connection.from_client;
            const bool silent = half.unacknowledged_ns && *half.unacknowledged_ns >= call.first_ns - second_ns &&
                                half.again >= 2 && back.last_ns < *half.unacknowledged_ns + second_ns;
            if (!silent || !carries_request(call, connection, from_client)) continue;
            findings.add(dead_connection(connection, from_client));
            return false;
        }
    }
    return false;
}

/// RFC 3581: without rport a response goes to the port in Via, which behind a NAT is nobody's.
bool response_port_closed(const Case& one, Findings& findings) {
    for (const Request& request : one.call().requests) {
        if (request.rport || request.tcp || request.copies < few_copies) continue;
        const Endpoint source = outer_source(one.call(), request);
        const auto astray = std::ranges::find_if(request.responses, [&](const Response& response) {
            return response.destination != request.source && response.destination.port != source.port;
        });
        if (astray == request.responses.end()) {
            if (!never_heard(one, request) || findings.has(Cause::fragments_lost)) continue;
            findings.add(answers_shut_out(request));
            return false;
        }
        findings.add({.cause = Cause::rport_missing,
                      .sentence = request.method + " comes from " + to_string(source) +
                                  " and asks for no rport: its answer (" + std::to_string(astray->status) + ", frame " +
                                  std::to_string(astray->frame) + ") goes to " + to_string(astray->destination) +
                                  ", where nobody listens, and so it is sent " + times(request.copies) + ".",
                      .change = ask_for_rport,
                      .frames = {request.frame, astray->frame}});
        return false;
    }
    return false;
}

}  // namespace natkit::diagnose
