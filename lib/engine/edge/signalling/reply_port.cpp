#include "../print.hpp"
#include "edge.hpp"

/// Clients that send by UDP from one port and listen on the one that their Via names (RFC 3261 section 18.2.2).
namespace natkit::edge {
namespace {

/// RFC 3261 section 17.2.3: what a request has in common with its repetitions, and with no other of its sender.
std::uint64_t identity_of(const sip::Message& request) {
    std::uint64_t hash = 0;
    for (const std::string_view text : {std::string_view(request.method()), std::string_view(request.top_via()->branch),
                                        std::string_view(request.call_id()), request.value(sip::Name::cseq)})
        hash = mixed(hash, text);
    return hash;
}

}  // namespace

/// RFC 3261 section 18.2.2: the Via's port, 5060 by default, where there is no rport and the Via's host is the source
/// address. Behind a NAT, where it is not, nobody listens there.
Edge::Heard Edge::heard_from(const sip::Message& request, const sip::Flow& flow, Instant now) {
    const auto& via = request.top_via();
    if (flow.transport != sip::Transport::udp || !via || via->rport_asked || via->address() != flow.remote.address)
        return {.flow = flow};
    const std::uint16_t port = via->port.value_or(5060);
    if (port == 0 || port == flow.remote.port) return {.flow = flow};
    const auto by = [&](const Endpoint& remote) {
        sip::Flow other = flow;
        other.remote = remote;
        return other;
    };
    if (request.method() == "ACK") return {.flow = by(reply_ports_.known(flow.remote, port))};
    const auto where = reply_ports_.on_request(flow.remote, port, identity_of(request), now);
    Heard heard{.flow = by(where.to)};
    if (where.also) heard.also = by(*where.also);
    if (where.was) heard.was = by(*where.was);
    return heard;
}

/// The answers since `first` go to the other port too; not where that would be more than three bytes for each of the
/// `asked` ones that came: anybody can have sent it.
void Edge::answer_also(const sip::Flow& flow, const sip::Flow& answered, std::size_t first, std::size_t asked,
                       Output& out) const {
    constexpr std::size_t most = 3;
    std::size_t sum = 0;
    for (std::size_t i = first; i < out.packets.size(); ++i)
        sum += out.packets[i].flow == answered ? out.packets[i].bytes->size() : 0;
    if (2 * sum > most * asked) return;
    for (std::size_t i = first, end = out.packets.size(); i < end; ++i) {
        if (out.packets[i].flow == answered) out.packets.push_back({.flow = flow, .bytes = out.packets[i].bytes});
    }
}

/// What this request has made so far leads its sender's way, too.
void Edge::change_reply_port(const sip::Message& request, const sip::Flow& from, const sip::Flow& to, Now now,
                             Output& out) {
    out.log(LogLevel::low_level, "no answer reaches " + to_string(from.remote) + ": now by " + to_string(to.remote));
    const auto& cseq = request.cseq();
    if (request.method() == "REGISTER" && cseq)
        registrations_.apply(registrar_.move(from, to, request.call_id(), cseq->number), now, out);
    if (const auto server = layer_.find(request)) proxy_.change_reply_port(*server, from, to, now, out);
}

}  // namespace natkit::edge
