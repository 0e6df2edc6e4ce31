#include <algorithm>

#include "../print.hpp"
#include "description.hpp"
#include "edge.hpp"
#include "natkit/base/text.hpp"

namespace natkit::edge {
namespace {

/// How long contacts of a higher q ring before those of the next lower one ring too.
constexpr std::chrono::seconds rings_alone{20};

/// The next hop where it is a strict router: one without "lr".
std::optional<std::string> strict_hop(const sip::Message& request, std::size_t own_routes, bool last_is_target) {
    const auto routes = request.values(sip::Name::route);
    if (routes.size() <= own_routes + (last_is_target ? 1 : 0)) return std::nullopt;
    const auto next = sip::NameAddr::parse(routes[own_routes]);
    const auto uri = next ? sip::Uri::parse(next->uri) : sip::Uri::parse("");
    if (!uri || uri->params.has("lr")) return std::nullopt;
    return next->uri;
}

bool makes_dialog(const sip::Message& request) {
    const std::string_view method = request.method();
    return request.to_tag().empty() && (method == "INVITE" || method == "SUBSCRIBE" || method == "REFER");
}

}  // namespace

/// Two when the sides differ: each neighbour finds an address of the edge on its own side on top of its route set.
std::vector<std::string> Edge::record_routes(const sip::Message& request, const sip::Flow& from, const sip::Flow& to,
                                             WallTime now) const {
    const std::string token =
        sip::encode(sip::DialogToken{.caller = from, .callee = to, .start = now}, request.call_id(), secrets_.cipher);
    const std::string scheme = text::istarts_with(request.request_uri(), "sips:") ? "sips" : "sip";
    const auto uri = [&](const sip::Flow& flow) {
        const std::string transport = flow.transport == sip::Transport::udp
                                          ? std::string()
                                          : std::string(";transport=") + to_string(flow.transport);
        return "<" + scheme + ":" + token + "@" + host_port(flow) + transport + ";lr>";
    };
    std::vector<std::string> routes = {uri(to)};
    if (from.transport != to.transport || host_port(from) != host_port(to)) routes.push_back(uri(from));
    return routes;
}

std::string Edge::own_via(const sip::Flow& flow, std::string_view branch) const {
    std::string via;
    via.reserve(128);
    via += "SIP/2.0/";
    for (const char c : std::string_view(to_string(flow.transport))) via += static_cast<char>(c - 'a' + 'A');
    (via += ' ') += host_port(flow);
    (via += ";branch=") += branch;
    return via += ";rport";
}

sip::Sent Edge::outgoing(const sip::Message& request, const Upstream& from, const Branch& branch,
                         const Stripped& stripped, std::optional<std::string> body, WallTime now) const {
    sip::Edit edit(request);
    edit.set_start_line(std::string(request.method()) + " " + branch.uri + " SIP/2.0");
    std::string own_branch = std::string(branch_prefix) + secrets_.random_hex() + "-" + print_text(stripped.print);
    edit.prepend(sip::Name::via, own_via(branch.flow, own_branch));
    if (makes_dialog(request)) {
        for (const std::string& route : record_routes(request, from.flow, branch.flow, now)) {
            edit.prepend(sip::Name::record_route, route);
        }
    }
    edit.pop_values(sip::Name::route, stripped.own_routes);
    if (stripped.strict) edit.pop_last_value(sip::Name::route);
    if (const auto strict =
            strict_hop(request, stripped.own_routes, stripped.strict)) {  // RFC 3261 section 16.6 step 6
        edit.pop_value(sip::Name::route);
        edit.append(sip::Name::route, "<" + branch.uri + ">");
        edit.set_start_line(std::string(request.method()) + " " + *strict + " SIP/2.0");
    }
    if (branch.registering) apply_plan(edit, request, *branch.registering);
    remove_identities(edit, request, proxy::identities_trusted(from.sender), trusted(branch.flow, branch.party));
    remove_own_passwords(edit, request);
    const auto hops = text::parse_number(request.value(sip::Name::max_forwards), 255);
    edit.set(sip::Name::max_forwards, std::to_string(hops ? *hops - 1 : 69));
    if (body) edit.set_body(std::move(*body));
    return {.bytes = std::make_shared<const std::string>(edit.finish()),
            .method = std::string(request.method()),
            .branch = std::move(own_branch),
            .share = from.share};
}

void Edge::forward(sip::TransactionId server, Route route, Now now, Output& out) {
    Context& context = contexts_.at(server);
    const sip::Message& request = context.request;
    if (!request.to_tag().empty()) {
        context.dialog = media_.find(request.call_id(), request.from_tag(), request.to_tag(),
                                     context.stripped.token ? &*context.stripped.token : nullptr);
        const auto& token = context.stripped.token;
        const auto ended = [&] { return token && media_.has_ended(request.call_id(), *token, {}, now.steady); };
        if (!context.dialog && route.targets.size() == 1 && !ended()) {  // else this is late
            adopt(context, route.targets.front(), now);
        } else if (context.dialog && !context.stripped.token && !is_party(context.upstream.flow, *context.dialog)) {
            context.dialog.reset();  // whoever knows a call's tags is not in it
        }
        if (context.dialog) {
            context.from = media_.end_of(*context.dialog, request.from_tag());
            if (token && context.from == End::caller) media_.prove_caller(*context.dialog, out);
            follow_sender(context, now, out);
        }
    }
    context.later = std::move(route.targets);
    start_next(server, now, out);
}

/// Whether [media_proxy] relay_for names the domain of this party.
bool Edge::asks_for_relay(const Result<sip::NameAddr>& party) const {
    const nat::RelayFor& relay_for = settings_.media_policy.relay_for;
    if (relay_for.domains.empty() || !party) return false;
    const auto uri = sip::Uri::parse(party->uri);
    return uri && relay_for.names(uri->host);
}

void Edge::add_branch(Context& context, Target target, Now now) {
    const sip::Message& request = context.request;
    Branch branch;
    branch.flow = target.flow;
    branch.party = target.party;
    branch.uri = target.uri;
    branch.server = target.server;
    if (!target.server.empty() && request.method() == "REGISTER")
        branch.registering = plan_register(context, target, now);
    branch.others = std::move(target.others);
    branch.host = std::move(target.host);
    if (request.method() == "INVITE" && request.to_tag().empty()) {
        const sip::Binding* registered = registrar_.on_flow(context.upstream.flow);
        const EndInfo caller{.flow = context.upstream.flow,
                             .party = context.upstream.party,
                             .tag = request.from_tag(),
                             .binding = registered == nullptr ? std::string() : registered->id,
                             .asked_for = asks_for_relay(request.from())};
        const EndInfo callee{.flow = target.flow,
                             .party = target.party,
                             .tag = {},
                             .binding = target.binding,
                             .asked_for = asks_for_relay(request.to())};
        branch.session = media_.resume(request.call_id(), caller, callee, now.steady);
        if (!branch.session) branch.session = media_.create(std::string(request.call_id()), caller, callee, now.steady);
        media_.set_payer(*branch.session, payer_of(request, context.upstream));
    } else {
        branch.session = context.dialog;
    }
    context.branches.push_back(std::move(branch));
}

/// Asks the contacts of the highest q that were not asked yet, all at once (RFC 3261 section 16.6: parallel among
/// equals, one group after the other); those asked before go on ringing.
void Edge::start_next(sip::TransactionId server, Now now, Output& out) {
    const auto found = contexts_.find(server);
    if (found == contexts_.end()) return;
    Context& context = found->second;
    if (context.later.empty() || context.succeeded || context.finished) return;
    const std::size_t first = context.branches.size();
    const int q = context.later.front().q;
    const auto end = std::ranges::find_if(context.later, [q](const Target& target) { return target.q != q; });
    for (auto at = context.later.begin(); at != end; ++at) add_branch(context, std::move(*at), now);
    context.later.erase(context.later.begin(), end);
    if (!context.later.empty()) no_answer_.add(now.steady + rings_alone, server);
    const std::size_t count = context.branches.size();
    for (std::size_t i = first; i < count && contexts_.contains(server); ++i) start_branch(server, i, now, out);
}

/// Sends a branch, or waits for the legs its offer needs.
void Edge::start_branch(sip::TransactionId server, std::size_t index, Now now, Output& out) {
    Context& context = contexts_.at(server);
    const auto session = context.branches[index].session;
    if (!session) return send_branch(server, index, std::nullopt, now, out);
    if (auto body = description_of(context.request)) {
        if (names_known(*body, now)) return take_request(server, index, *body, now, out);
        return with_names(*body, context.upstream, now, out, [this, server, index, body](Now then, Output& later) {
            if (contexts_.contains(server)) take_request(server, index, *body, then, later);
        });
    }
    warn_unchanged(context.request, out);
    send_branch(server, index, std::nullopt, now, out);
}

void Edge::send_branch(sip::TransactionId server, std::size_t index, std::optional<std::string> body, Now now,
                       Output& out) {
    Context& context = contexts_.at(server);
    Branch& branch = context.branches[index];
    if (branch.cancel_wanted || context.succeeded) {  // nobody wants it any more
        return refuse_branch(server, index, 487, now, out);
    }
    if (!branch.others.empty()) branch.body = body;
    if (branch.flow.transport == sip::Transport::tls) keep_name(branch.flow, branch.host);
    sip::Sent sent = outgoing(context.request, context.upstream, branch, context.stripped, std::move(body), now.wall);
    sip::TransactionOutput produced;
    const auto client = layer_.request(sent, branch.flow, now.steady, produced, patience(branch));
    if (!client) return refuse_branch(server, index, 503, now, out);
    branch.client = *client;
    if (!branch.server.empty()) learn_server(branch.server, branch.flow.remote.address, now);
    branch.sent = std::move(sent);
    server_of_client_[*client] = server;
    weigh(server);
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
}

/// A branch that fails by our own decision, before or instead of an answer from beyond.
void Edge::refuse_branch(sip::TransactionId server, std::size_t index, int status, Now now, Output& out,
                         const std::vector<std::pair<std::string, std::string>>& extra) {
    auto bytes = sip::make_response(contexts_.at(server).request, status, sip::reason_of(status),
                                    tag_of(contexts_.at(server).request), extra);
    contexts_.at(server).branches[index].refused_here = true;
    branch_failed(server, index, status, std::move(bytes), now, out);
}

/// The ACK of a 2xx travels end to end, by the dialog's token (RFC 3261 section 16.11: statelessly).
void Edge::on_ack(const sip::AckEvent& event, Now now, Output& out) {
    const sip::Message& ack = event.message;
    if (has_own_tag(ack)) return;  // of a failure of our own, which is all over
    Stripped stripped = strip_routes(ack, now);
    stripped.print = fingerprint(ack, event.flow);
    const auto hops = text::parse_number(ack.value(sip::Name::max_forwards), 255);
    if (stripped.forged || stripped.over || hops == 0 || looped(ack, stripped)) return;
    const Upstream from = upstream_of(ack, event.flow, stripped);
    send_ack({.server = 0, .request = ack, .upstream = from, .stripped = std::move(stripped)}, now, out);
}

void Edge::send_ack(Parked parked, Now now, Output& out) {
    Route found = route(parked.request, parked.upstream, parked.stripped, now.wall);
    if (found.status == 0 && !found.lookup.empty()) {
        (void)park(std::move(parked), std::move(found.lookup), out);  // an ACK has no answer to be refused by
        return;
    }
    const sip::Message& ack = parked.request;
    const Stripped& stripped = parked.stripped;
    if (found.status != 0 || found.targets.empty()) return;
    Branch branch;
    branch.flow = found.targets.front().flow;
    branch.party = found.targets.front().party;
    branch.uri = found.targets.front().uri;
    auto session =
        media_.find(ack.call_id(), ack.from_tag(), ack.to_tag(), stripped.token ? &*stripped.token : nullptr);
    if (session && !stripped.token && !is_party(parked.upstream.flow, *session)) session.reset();
    if (!session) return pass_ack(parked, branch, std::nullopt, now.wall, out);
    if (stripped.token && media_.end_of(*session, ack.from_tag()) == End::caller) media_.prove_caller(*session, out);
    const std::string described = description_of(ack).value_or(std::string());
    if (names_known(described, now)) return take_and_pass_ack(parked, branch, *session, now, out);
    with_names(described, parked.upstream, now, out, [this, parked, branch, session](Now then, Output& later) {
        take_and_pass_ack(parked, branch, *session, then, later);
    });
}

void Edge::take_and_pass_ack(const Parked& parked, const Branch& branch, SessionId session, Now now, Output& out) {
    if (!media_.contains(session)) return;
    if (auto body = take_ack(parked.request, session, now, out))
        pass_ack(parked, branch, std::move(body), now.wall, out);
}

void Edge::pass_ack(const Parked& parked, const Branch& branch, std::optional<std::string> body, WallTime now,
                    Output& out) const {
    out.packets.push_back(
        {.flow = branch.flow,
         .bytes = outgoing(parked.request, parked.upstream, branch, parked.stripped, std::move(body), now).bytes});
}

}  // namespace natkit::edge
