#include <algorithm>

#include "description.hpp"
#include "hang_up.hpp"
#include "natkit/base/text.hpp"
#include "proxy.hpp"

namespace natkit::edge {
namespace {

/// How long contacts of a higher q ring before those of the next lower one ring too.
constexpr std::chrono::seconds rings_alone{20};
/// How long a place that has others after it may take to answer at all.
constexpr std::chrono::seconds try_for{4};

/// Whether another edge sees to the dialog of a request, and to the media of that.
bool passes(const Stripped& stripped) {
    return stripped.edge || (stripped.token && stripped.token->edge && stripped.token->edge->passes);
}

}  // namespace

void Proxy::forward(JudgedRequest asked, Route route, Now now, Output& out) {
    const sip::TransactionId server = asked.server;
    Context& context = contexts_
                           .emplace(server, Context{.server = server,
                                                    .request = std::move(asked.request),
                                                    .upstream = asked.upstream,
                                                    .routes = asked.stripped})
                           .first->second;
    const auto& token = asked.stripped.token;
    if (!context.request.to_tag().empty() && !passes(asked.stripped))
        join_dialog(context, route, token ? &*token : nullptr, now, out);
    context.later = std::move(route.targets);
    for (Branch* branch : next_branches(context, now)) start_branch(context, *branch, Names::unknown, now, out);
}

/// The session of the dialog that a request belongs to.
void Proxy::join_dialog(Context& context, const Route& route, const sip::DialogToken* token, Now now, Output& out) {
    const sip::Message& request = context.request;
    Media& media = parts_.media;
    context.dialog = media.find(request.call_id(), request.from_tag(), request.to_tag(), token);
    const auto ended = [&] { return media.has_ended(request.call_id(), *token, {}, now.steady); };
    if (!context.dialog && token && route.targets.size() == 1 && !ended()) {  // else this is late
        adopt(context, *token, route.targets.front(), now);
    } else if (context.dialog && !token && !parts_.admission.is_party(context.upstream.flow, *context.dialog)) {
        context.dialog.reset();  // whoever knows a call's tags is not in it
    }
    if (!context.dialog) return;
    context.from = media.end_of(*context.dialog, request.from_tag());
    if (token && context.from == End::caller) media.prove_caller(*context.dialog, out);
    learn_caller(context);
    if (token) follow_sender(context, *token, now, out);
}

/// Requests of a client come by another port when its NAT has forgotten the old one, and by another connection after
/// the old one: what is sent to it goes there. A server may send from any port it likes, and still listens where it
/// did.
void Proxy::follow_sender(Context& context, const sip::DialogToken& token, Now now, Output& out) {
    Media& media = parts_.media;
    const sip::Flow& flow = context.upstream.flow;
    if (context.upstream.origin) return;  // it has come by another edge, whose own address is no party's
    const EndInfo& known = media.end_info(*context.dialog, context.from);
    if (known.flow == flow || media.token(*context.dialog) != token) return;
    const bool client = known.verdict.place == nat::Place::far_end || !known.binding.empty();
    if (!client && parts_.neighbours.alive(known.flow)) return;
    if (!nat::same_site(known.flow.remote.address, flow.remote.address, parts_.settings.networks)) return;
    media.set_flow(*context.dialog, context.from, flow, context.upstream.verdict, now.steady, out);
}

/// Whether [media_proxy] relay_for names the domain of this party.
bool Proxy::asks_for_relay(const Result<sip::NameAddr>& named) const {
    const nat::RelayFor& relay_for = parts_.settings.media_policy.relay_for;
    if (relay_for.domains.empty() || !named) return false;
    const auto uri = sip::Uri::parse(named->uri);
    return uri && relay_for.names(uri->host);
}

std::string Proxy::uri_in(const Result<sip::NameAddr>& named) {
    constexpr std::size_t longest = 256;
    if (!named) return {};
    const std::string_view uri = named->uri;
    const std::size_t host = uri.find('@');  // parameters of the user are part of him
    return text::printable(uri.substr(0, uri.find_first_of(";?", host == std::string_view::npos ? 0 : host)), longest);
}

Branch& Proxy::add_branch(Context& context, Target target, Now now) {
    const sip::Message& request = context.request;
    Branch& branch = context.branches.emplace_back();
    branch.number = context.branches.size() - 1;
    branch.flow = target.flow;
    branch.verdict = target.verdict;
    branch.uri = target.uri;
    branch.server = target.server;
    if (!target.server.empty() && request.method() == "REGISTER")
        branch.registering = parts_.home.plan(request, context.upstream, target.server, target.flow, now);
    if (parts_.settings.by_peer(target.flow) && !context.dialog) {
        // That edge sees to the media.
    } else if (request.method() == "INVITE" && request.to_tag().empty()) {
        start_session(context, branch, target, now);
    } else {
        branch.session = context.dialog;
    }
    branch.others = std::move(target.others);
    branch.host = std::move(target.host);
    branch.binding = std::move(target.binding);
    return branch;
}

/// The media of a new call by one branch of its INVITE.
void Proxy::start_session(Context& context, Branch& branch, const Target& target, Now now) {
    const sip::Message& request = context.request;
    const sip::Binding* registered = parts_.registrar.on_flow(context.upstream.flow);
    const EndInfo caller{.flow = context.upstream.flow,
                         .verdict = context.upstream.verdict,
                         .tag = request.from_tag(),
                         .uri = uri_in(request.from()),
                         .binding = registered == nullptr ? std::string() : registered->id,
                         .asked_for = asks_for_relay(request.from()),
                         .contact = contact_of(request),
                         .routes = routes_of(request),
                         .origin = context.upstream.origin};
    const EndInfo callee{.flow = target.flow,
                         .verdict = target.verdict,
                         .tag = {},
                         .uri = uri_in(request.to()),
                         .binding = target.binding,
                         .asked_for = asks_for_relay(request.to())};
    branch.session = parts_.media.resume(request.call_id(), caller, callee, now.steady);
    if (!branch.session)
        branch.session = parts_.media.create(std::string(request.call_id()), caller, callee, now.steady);
    parts_.media.set_payer(*branch.session, parts_.admission.payer_of(request, context.upstream));
}

/// For the contacts of the highest q that were not asked yet, which are asked all at once (RFC 3261 section 16.6:
/// parallel among equals, one group after the other); those asked before go on ringing.
std::vector<Branch*> Proxy::next_branches(Context& context, Now now) {
    std::vector<Branch*> added;
    if (context.later.empty() || context.succeeded || context.finished) return added;
    const int q = context.later.front().q;
    const auto end = std::ranges::find_if(context.later, [q](const Target& target) { return target.q != q; });
    for (auto at = context.later.begin(); at != end; ++at) added.push_back(&add_branch(context, std::move(*at), now));
    context.later.erase(context.later.begin(), end);
    if (!context.later.empty()) no_answer_.add(now.steady + rings_alone, context.server);
    return added;
}

/// Sends a branch, or waits for what its description needs: that is an offer, or in a PRACK perhaps the answer to the
/// offer of a reliable response.
void Proxy::start_branch(Context& context, Branch& branch, Names names, Now now, Output& out) {
    const sip::Message& request = context.request;
    if (!branch.session) return send_branch(context, branch, std::nullopt, now, out);
    const auto body = description_of(request);
    if (!body) {
        warn_unchanged(request, out);
        return send_branch(context, branch, std::nullopt, now, out);
    }
    const bool waits =
        names == Names::unknown && parts_.names.must_wait(*body, context.upstream, next_waiting_, now, out);
    if (waits) return wait(WaitingRequest{.server = context.server, .branch = branch.number});
    const End end = context.dialog ? context.from : End::caller;
    const dialog::Role role = parts_.media.exchange(*branch.session).in_request(end, request.method() == "PRACK");
    if (role == dialog::Role::answer) return send_answer(context, branch, end, *body, now, out);
    if (const auto refused = refusal_of(role)) return refuse_branch(context, branch, *refused, now, out);
    const dialog::Offer opened{.offerer = end, .owner = context.server, .cseq = number_of(request)};
    const auto ready = parts_.media.offer(*branch.session, opened, *body, next_waiting_, now.steady, out);
    if (!ready) return wait(WaitingRequest{.server = context.server, .branch = branch.number});
    if (!*ready) return refuse_offer(context, branch, ready->error(), now, out);
    send_branch(context, branch, with_description(request, **ready), now, out);
}

void Proxy::send_branch(Context& context, Branch& branch, std::optional<std::string> body, Now now, Output& out) {
    if (branch.cancel_wanted || context.succeeded) {  // nobody wants it any more
        return refuse_branch(context, branch, {.status = 487}, now, out);
    }
    if (!branch.others.empty()) branch.body = body;
    if (branch.flow.transport == sip::Transport::tls) parts_.next_hops.keep_name(branch.flow, branch.host);
    sip::Sent sent = outgoing(context.request, context.upstream, branch, context.routes, std::move(body), now.wall);
    const bool hurries = !branch.others.empty() || parts_.settings.by_peer(branch.flow);
    const auto patience = hurries ? std::optional<std::chrono::milliseconds>(try_for) : std::nullopt;
    sip::TransactionOutput produced;
    const auto client = parts_.layer.request(sent, branch.flow, now.steady, produced, patience);
    if (!client) return refuse_branch(context, branch, {.status = 503}, now, out);
    branch.client = *client;
    if (!branch.server.empty()) parts_.servers.learn(branch.server, branch.flow.remote.address, now.steady);
    branch.sent = std::make_unique<sip::Sent>(std::move(sent));
    server_of_client_[*client] = context.server;
    weigh(context);
    std::ranges::move(produced.packets, std::back_inserter(out.packets));
}

/// A branch is about to be sent anew.
void Proxy::forget_client(Branch& branch) {
    server_of_client_.erase(branch.client);
    branch.client = 0;
    branch.provisional = false;
    branch.sent.reset();
}

/// True: the branch's place has failed, and the request went to the next one.
bool Proxy::try_next(Context& context, Branch& branch, Now now, Output& out) {
    Media& media = parts_.media;
    parts_.next_hops.avoid(branch.flow, now.steady);
    if (branch.others.empty() || branch.cancel_wanted || context.succeeded) return false;
    out.log(LogLevel::problems,
            to_string(branch.flow.remote) + " does not serve; trying " + to_string(branch.others.front().remote));
    forget_client(branch);
    branch.flow = branch.others.front();
    branch.others.erase(branch.others.begin());
    branch.verdict = nat::classify_address(branch.flow.remote.address, parts_.settings.networks);
    if (branch.session && !context.dialog && media.contains(*branch.session)) {
        // Its legs may be of another family than this place: then the offer is made anew.
        const bool other_family = media.end_info(*branch.session, End::callee).flow.remote.address.family() !=
                                  branch.flow.remote.address.family();
        if (other_family) media.reject(*branch.session, context.server, now.steady, out);
        media.set_callee(*branch.session, branch.flow, branch.verdict);
        if (other_family) {
            start_branch(context, branch, Names::unknown, now, out);
            return true;
        }
    }
    // Its Path names the server that is given it.
    if (branch.registering)
        branch.registering = parts_.home.plan(context.request, context.upstream, branch.server, branch.flow, now);
    send_branch(context, branch, branch.body, now, out);
    return true;
}

void Proxy::change_reply_port(sip::TransactionId server, const sip::Flow& from, const sip::Flow& to, Now now,
                              Output& out) {
    Context* context = find(server);
    if (context == nullptr || context->upstream.flow != from) return;
    context->upstream.flow = to;
    if (context->dialog) return;  // follow_sender() has seen to that
    for (const Branch& branch : context->branches) {
        if (branch.session && parts_.media.contains(*branch.session))
            parts_.media.set_flow(*branch.session, End::caller, to, context->upstream.verdict, now.steady, out);
    }
}

void Proxy::forward_ack(JudgedRequest ack, Target target, Now now, Output& out) {
    Media& media = parts_.media;
    const sip::Message& message = ack.request;
    const auto& token = ack.stripped.token;
    Branch branch;
    branch.flow = target.flow;
    branch.verdict = target.verdict;
    branch.uri = std::move(target.uri);
    auto session = passes(ack.stripped)
                       ? std::nullopt
                       : media.find(message.call_id(), message.from_tag(), message.to_tag(), token ? &*token : nullptr);
    if (session && !token && !parts_.admission.is_party(ack.upstream.flow, *session)) session.reset();
    if (!session) {
        auto sent = outgoing(message, ack.upstream, branch, ack.stripped, std::nullopt, now.wall);
        return out.packets.push_back({.flow = branch.flow, .bytes = std::move(sent.bytes)});
    }
    if (token && media.end_of(*session, message.from_tag()) == End::caller) media.prove_caller(*session, out);
    const std::string described = description_of(message).value_or(std::string());
    if (!parts_.names.must_wait(described, ack.upstream, next_waiting_, now, out))
        return take_and_pass_ack(ack, branch, *session, now, out);
    wait(WaitingAck{.ack = std::move(ack), .branch = std::move(branch), .session = *session});
}

void Proxy::take_and_pass_ack(const JudgedRequest& ack, const Branch& branch, SessionId session, Now now, Output& out) {
    if (!parts_.media.contains(session)) return;
    auto body = take_ack(ack.request, session, now, out);
    if (!body) return;
    auto sent = outgoing(ack.request, ack.upstream, branch, ack.stripped, std::move(body), now.wall);
    out.packets.push_back({.flow = branch.flow, .bytes = std::move(sent.bytes)});
}

}  // namespace natkit::edge
