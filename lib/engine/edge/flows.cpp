#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/engine/edge/edge.hpp"

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
    apply(std::move(changes), out);
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

/// Whether a request is one too many. The LAN and the servers of [sip.routes] have no limit, and neither has what goes
/// on inside a dialog of ours: its token cannot be made up.
bool Edge::floods(const sip::Message& request, const sip::Flow& flow, Instant now, Output& out) {
    if (settings_.open_registrar || settings_.networks.lan.contains(flow.remote.address) || is_server(flow))
        return false;
    const bool registered = registrar_.on_flow(flow) != nullptr;
    const auto verdict = flood_.admit(flow.remote, flow.connection, registered, now);
    if (verdict == proxy::FloodGate::Verdict::pass) return false;
    if (!request.call_id().empty() && !request.to_tag().empty()) {
        const Stripped stripped = strip_routes(request, flow);
        if (stripped.token && !stripped.forged) return false;
    }
    if (flood_.first_refusal(flow.remote.address, now)) {
        out.log(LogLevel::problems, "requests from " + to_string(flow.remote.address) +
                                        " dropped: more than the limit (" + to_string(verdict) + ")");
    }
    return true;
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
