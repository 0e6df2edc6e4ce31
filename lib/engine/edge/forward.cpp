#include "natkit/base/text.hpp"
#include "natkit/engine/edge/edge.hpp"

namespace natkit::edge {
namespace {

bool has_sdp(const sip::Message& message) {
    return message.content_type() == "application/sdp" && !message.body().empty();
}

bool makes_dialog(const sip::Message& request) {
    const std::string_view method = request.method();
    return request.to_tag().empty() && (method == "INVITE" || method == "SUBSCRIBE" || method == "REFER");
}

}  // namespace

/// Two when the sides differ: each neighbour finds an address of the edge on its own side on top of its route set.
std::vector<std::string> Edge::record_routes(const sip::Message& request, const sip::Flow& from,
                                             const sip::Flow& to) const {
    const std::string token =
        sip::encode(sip::DialogToken{.caller = from, .callee = to}, request.call_id(), secrets_.mac);
    const auto uri = [&](const sip::Flow& flow) {
        const std::string transport = flow.transport == sip::Transport::udp
                                          ? std::string()
                                          : std::string(";transport=") + to_string(flow.transport);
        return "<sip:" + token + "@" + host_port(flow) + transport + ";lr>";
    };
    std::vector<std::string> routes = {uri(to)};
    if (host_port(from) != host_port(to)) routes.push_back(uri(from));
    return routes;
}

std::string Edge::outgoing(const sip::Message& request, const sip::Flow& from, const Branch& branch,
                           const Stripped& stripped, std::optional<std::string> body) const {
    sip::Edit edit(request);
    edit.set_start_line(std::string(request.method()) + " " + branch.uri + " SIP/2.0");
    std::string transport = to_string(branch.flow.transport);
    for (char& c : transport) c = static_cast<char>(c - 'a' + 'A');
    edit.prepend(sip::Name::via, "SIP/2.0/" + transport + " " + host_port(branch.flow) + ";branch=z9hG4bKne" +
                                     secrets_.random_hex() + ";rport");
    if (makes_dialog(request)) {
        for (const std::string& route : record_routes(request, from, branch.flow)) {
            edit.prepend(sip::Name::record_route, route);
        }
    }
    for (std::size_t i = 0; i < stripped.own_routes; ++i) edit.pop_value(sip::Name::route);
    const auto hops = text::parse_number(request.value(sip::Name::max_forwards), 255);
    edit.set(sip::Name::max_forwards, std::to_string(hops ? *hops - 1 : 69));
    if (body) edit.set_body(std::move(*body));
    return edit.finish();
}

void Edge::forward(sip::TransactionId server, const Upstream& from, Route route, const Stripped& stripped, Now now,
                   Output& out) {
    Context& context = contexts_.at(server);
    const sip::Message& request = context.request;
    if (!request.to_tag().empty()) {
        context.dialog = media_.find(request.call_id(), request.from_tag(), request.to_tag());
        if (context.dialog) context.from = media_.end_of(*context.dialog, request.from_tag());
    }
    for (Target& target : route.targets) {
        Branch branch;
        branch.flow = target.flow;
        branch.party = target.party;
        branch.uri = std::move(target.uri);
        if (request.method() == "INVITE" && request.to_tag().empty()) {
            branch.session = media_.create(std::string(request.call_id()),
                                           {.flow = from.flow, .party = from.party, .tag = request.from_tag()},
                                           {.flow = target.flow, .party = target.party, .tag = {}}, now.steady);
        } else {
            branch.session = context.dialog;
        }
        context.branches.push_back(std::move(branch));
    }
    const std::size_t count = context.branches.size();
    for (std::size_t i = 0; i < count && contexts_.contains(server); ++i) {
        start_branch(server, i, stripped, now, out);
    }
}

/// Sends a branch, or waits for the legs its offer needs.
void Edge::start_branch(sip::TransactionId server, std::size_t index, const Stripped& stripped, Now now, Output& out) {
    Context& context = contexts_.at(server);
    const auto session = context.branches[index].session;
    const sip::Message& request = context.request;
    const std::string type = request.content_type();
    if (session && (type.starts_with("multipart/") || type == "application/pkcs7-mime")) {
        // It may be signed or encrypted: passed through with a warning, not damaged.
        out.log(LogLevel::problems, "call " + text::printable(request.call_id(), 80) + ": a body of type " +
                                        text::printable(type, 60) + " is passed on unchanged");
    }
    if (!has_sdp(request) || !session) return send_branch(server, index, stripped, std::nullopt, now, out);
    const End end = context.dialog ? context.from : End::caller;
    const bool answers = request.method() == "PRACK" && media_.offerer(*session) == other(end);
    if (answers) {
        auto body = media_.answer(*session, end, std::string(request.body()), out);
        if (!body) return refuse_branch(server, index, 488, now, out);
        return send_branch(server, index, stripped, std::move(*body), now, out);
    }
    if (context.dialog && media_.offerer(*session) == other(end)) {
        return refuse_branch(server, index, 491, now, out);  // RFC 3261 section 14.2: glare
    }
    const WallTime wall = now.wall;
    media_.offer(*session, end, std::string(request.body()), now.steady, out,
                 [this, server, index, stripped, wall](Result<std::string> body, Instant then, Output& later) {
                     const Now at{.steady = then, .wall = wall};
                     if (!contexts_.contains(server)) return;
                     if (body) return send_branch(server, index, stripped, std::move(*body), at, later);
                     const sip::Message& asked = contexts_.at(server).request;
                     const bool no_media = body.error().code == Errc::exhausted || body.error().code == Errc::system ||
                                           body.error().code == Errc::timed_out;
                     const int status = no_media ? 503 : 488;
                     later.log(LogLevel::problems, "call " + text::printable(asked.call_id()) + ": " +
                                                       std::to_string(status) + ": " + to_string(body.error()));
                     refuse_branch(server, index, status, at, later);
                 });
}

void Edge::send_branch(sip::TransactionId server, std::size_t index, const Stripped& stripped,
                       std::optional<std::string> body, Now now, Output& out) {
    Context& context = contexts_.at(server);
    Branch& branch = context.branches[index];
    if (branch.cancel_wanted || context.succeeded) {  // nobody wants it any more
        return refuse_branch(server, index, 487, now, out);
    }
    std::string bytes = outgoing(context.request, context.flow, branch, stripped, std::move(body));
    auto sent = sip::Message::parse(bytes);
    sip::TransactionOutput produced;
    auto client = layer_.request(std::move(bytes), branch.flow, now.steady, produced);
    if (!client || !sent) return refuse_branch(server, index, 503, now, out);
    branch.client = *client;
    branch.sent = std::make_shared<const sip::Message>(std::move(*sent));
    server_of_client_[*client] = server;
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
}

/// A branch that fails by our own decision, before or instead of an answer from beyond.
void Edge::refuse_branch(sip::TransactionId server, std::size_t index, int status, Now now, Output& out) {
    auto bytes =
        sip::make_response(contexts_.at(server).request, status, sip::reason_of(status), secrets_.random_hex());
    branch_failed(server, index, status, std::move(bytes), now, out);
}

/// The ACK of a 2xx travels end to end, by the dialog's token (RFC 3261 section 16.11: statelessly).
void Edge::on_ack(const sip::AckEvent& event, Now now, Output& out) {
    const sip::Message& ack = event.message;
    const Stripped stripped = strip_routes(ack);
    const auto uri = sip::Uri::parse(ack.request_uri());
    if (stripped.forged || !uri) return;
    const Upstream from = upstream_of(ack, event.flow);
    const Route found = route(ack, from, stripped, now.wall);
    if (found.status != 0 || found.targets.empty()) return;
    Branch branch;
    branch.flow = found.targets.front().flow;
    branch.uri = found.targets.front().uri;
    std::optional<std::string> body;
    const auto session = media_.find(ack.call_id(), ack.from_tag(), ack.to_tag());
    if (session && has_sdp(ack)) {
        auto answer = media_.answer(*session, media_.end_of(*session, ack.from_tag()), std::string(ack.body()), out);
        if (!answer) {
            out.log(LogLevel::problems, "call " + text::printable(ack.call_id()) +
                                            ": answer in ACK not rewritten: " + to_string(answer.error()));
            return;
        }
        body = std::move(*answer);
    }
    if (session) media_.close_exchange(*session);
    auto bytes = std::make_shared<const std::string>(outgoing(ack, event.flow, branch, stripped, std::move(body)));
    out.packets.push_back({.flow = branch.flow, .bytes = std::move(bytes)});
}

}  // namespace natkit::edge
