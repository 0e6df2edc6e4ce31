#include <algorithm>

#include "edge.hpp"
#include "natkit/base/text.hpp"

/// The life of connections, as the core sees it.
namespace natkit::edge {

bool Edge::alive(const sip::Flow& flow) const {
    return settings_.find(flow.transport, flow.local) != nullptr &&
           (flow.connection == 0 || connections_.contains(flow.connection));
}

void Edge::on_flow_closed(const sip::Flow& flow, std::string_view reason, Now now, Output& out) {
    connections_.erase(flow.connection);
    auto changes = registrar_.remove_flow(flow);
    for (const sip::BindingChange& change : changes) {
        out.log(LogLevel::major, "client " + text::printable(change.binding.aor, 80) + " at " + to_string(flow.remote) +
                                     ": its connection is over: " + text::printable(reason));
    }
    apply(std::move(changes), now, out);
    sip::TransactionOutput produced;
    layer_.on_flow_failed(flow, produced);
    absorb(produced, now, out);
}

void Edge::on_flow_unreachable(const sip::Flow& flow, std::string_view reason, Now now, Output& out) {
    sip::TransactionOutput produced;
    layer_.on_flow_failed(flow, produced);
    if (!produced.events.empty()) {
        out.log(LogLevel::problems, to_string(flow.remote) + " by " + to_string(flow.transport) +
                                        " cannot be reached: " + text::printable(reason));
    }
    absorb(produced, now, out);
}

proxy::Sender Edge::kind_of(const sip::Flow& flow) const {
    if (settings_.lan_trusted && settings_.networks.lan.contains(flow.remote.address)) return proxy::Sender::lan;
    if (is_server(flow)) return proxy::Sender::server;
    return registrar_.on_flow(flow) != nullptr ? proxy::Sender::user : proxy::Sender::stranger;
}

/// Whether a request carries the token of a dialog, which cannot be made up, and comes from where one of its ends is.
bool Edge::in_own_dialog(const sip::Message& request, const sip::Flow& flow, Now now) const {
    if (request.call_id().empty() || request.to_tag().empty()) return false;
    const Stripped stripped = strip_routes(request, now);
    if (!stripped.token || stripped.forged || stripped.over) return false;
    for (const sip::Flow* end : {&stripped.token->caller, &stripped.token->callee}) {
        if (nat::same_site(end->remote.address, flow.remote.address, settings_.networks)) return true;
    }
    const auto session = media_.find(request.call_id(), request.from_tag(), request.to_tag(), &*stripped.token);
    return session && is_party(flow, *session);
}

/// Whether a request is one too many: of its flow, of its source, of all strangers. What goes on inside a dialog has a
/// measure of its own besides, for its token cannot be made up.
bool Edge::floods(const sip::Message& request, const sip::Flow& flow, Now now, Output& out) {
    if (settings_.open_registrar) return false;
    using Verdict = proxy::FloodGate::Verdict;
    const proxy::Sender kind = kind_of(flow);
    auto verdict = flood_.admit(flow.remote, flow.connection, kind, now.steady);
    if (verdict != Verdict::pass && in_own_dialog(request, flow, now)) {
        verdict = flood_.admit_in_dialog(flow.remote, flow.connection, kind, now.steady);
    }
    if (verdict == Verdict::pass) return false;
    if (flood_.first_refusal(flow.remote.address, now.steady)) {
        out.log(LogLevel::problems, "requests from " + to_string(flow.remote.address) +
                                        " dropped: more than the limit (" + to_string(verdict) + ")");
    }
    return true;
}

/// Whose share of the transactions a request takes.
sip::Share Edge::share_of(proxy::Sender sender, bool in_dialog) const {
    if (settings_.open_registrar) return sip::Share::lan;
    switch (sender) {
        case proxy::Sender::lan: return sip::Share::lan;
        case proxy::Sender::user: return sip::Share::user;
        case proxy::Sender::server: return sip::Share::party;
        case proxy::Sender::stranger: break;
    }
    return in_dialog ? sip::Share::party : sip::Share::stranger;
}

sip::Asker Edge::asker_of(const sip::Message& request, const sip::Flow& flow, Now now) const {
    const proxy::Sender kind = kind_of(flow);
    const sip::Binding* binding = kind == proxy::Sender::user ? registrar_.on_flow(flow) : nullptr;
    const bool asks_in_dialog = kind == proxy::Sender::stranger && !settings_.open_registrar;
    return {.share = share_of(kind, asks_in_dialog && in_own_dialog(request, flow, now)),
            .spoofable = spoofable(flow, kind),
            .proven = proven_.knows(flow.remote, now.steady) || (binding != nullptr && binding->authenticated)};
}

/// Whether anybody may have written the source of what comes by this flow. The LAN's comes in by its own interface, or
/// is dropped.
bool Edge::spoofable(const sip::Flow& flow, proxy::Sender kind) {
    return flow.transport == sip::Transport::udp && kind != proxy::Sender::lan;
}

/// Whoever shows what only who received it can know is where its packets come from: the branch of a request of ours,
/// the To-tag of an answer of ours, the token of a dialog.
void Edge::learn_proof(const sip::Message& message, const sip::Flow& flow, Now now) {
    if (flow.transport != sip::Transport::udp) return;
    if (proven_.knows(flow.remote, now.steady) || !spoofable(flow, kind_of(flow))) return;
    const bool proof = message.is_request()
                           ? message.method() == "ACK" && (has_own_tag(message) || in_own_dialog(message, flow, now))
                           : layer_.is_answer(message);
    if (proof) proven_.note(flow.remote, now.steady);
}

std::unordered_set<std::uint64_t> Edge::needed_connections() const {
    std::unordered_set<std::uint64_t> needed;
    media_.add_connections(needed);
    layer_.add_connections(needed);
    needed.erase(0);
    return needed;
}

/// Requests of a client come by another port when its NAT has forgotten the old one, and by another connection after
/// the old one: what is sent to it goes there. A server may send from any port it likes, and still listens where it
/// did.
void Edge::follow_sender(Context& context, Now now, Output& out) {
    const sip::Flow& flow = context.upstream.flow;
    const EndInfo& known = media_.end_info(*context.dialog, context.from);
    const auto& token = context.stripped.token;
    if (!token || known.flow == flow || media_.token(*context.dialog) != *token) return;
    const bool client = known.party.place == nat::Place::far_end || !known.binding.empty();
    if (!client && alive(known.flow)) return;
    if (!nat::same_site(known.flow.remote.address, flow.remote.address, settings_.networks)) return;
    media_.set_flow(*context.dialog, context.from, flow, context.upstream.party, now.steady, out);
}

void Edge::end_without_peer(const Parked& asked, Now now, Output& out) {
    const sip::Message& bye = asked.request;
    const auto* token = asked.stripped.token ? &*asked.stripped.token : nullptr;
    const auto session = media_.find(bye.call_id(), bye.from_tag(), bye.to_tag(), token);
    if (!session || (token == nullptr && !is_party(asked.upstream.flow, *session))) return;
    media_.end(*session, "BYE, and the other end's connection is over", now.steady, out);
}

}  // namespace natkit::edge
