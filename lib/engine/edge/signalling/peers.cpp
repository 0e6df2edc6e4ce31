#include <algorithm>

#include "edge.hpp"
#include "natkit/base/text.hpp"

/// What other edges that are active at the same time pass on, and whose clients are whose.
namespace natkit::edge {

/// Whoever shows that it has the cluster's key is an edge of it: its requests were judged where they came in. The ACK
/// of a failure shows nothing, and can do no more than to stop what repeats that.
void Edge::on_peer_packet(const sip::Flow& flow, std::string bytes, Now now, Output& out) {
    const auto message = sip::Message::parse(std::move(bytes), sip::Controls::blanked);
    if (!message || !sip::check(*message)) return;
    sip::TransactionOutput produced;
    if (!message->is_request()) {
        layer_.on_message(*message, flow, now.steady, produced);
        return absorb(produced, now, out);
    }
    sip::Asker asker{.spoofable = false, .proven = true, .bytes = message->bytes().size(), .hurries = true};
    if (message->method() != "ACK") {
        const auto from = peer_upstream(*message, flow, now, out);
        if (!from) return;
        asker.share = from->share;
    }
    layer_.on_message(*message, flow, now.steady, produced, asker);
    absorb(produced, now, out);
}

std::optional<Upstream> Edge::peer_upstream(const sip::Message& request, const sip::Flow& flow, Now now, Output& out) {
    const auto token = peers_.read(request);
    if (token) return peers_.upstream_of(*token, flow, neighbours_.share_of(token->sender, !request.to_tag().empty()));
    if (admission_.first_refusal(flow.remote.address, now.steady)) {
        out.log(LogLevel::problems, "dropped: a request from " + to_string(flow.remote) +
                                        " at the address for the other edges: " + token.error().message);
    }
    return std::nullopt;
}

Result<void> Edge::set_foreign(ForeignClient client, Now now, Output& out) {
    if (const sip::Binding* own = registrar_.by_id(client.binding.id)) {
        if (own->aor != client.binding.aor) return fail(Errc::refused, "the id is another user's");
        if (is_older(client.binding, *own)) return {};
        const bool over = client.binding.expires <= client.binding.registered;
        out.log(LogLevel::major,
                "client " + text::printable(own->aor, 80) + " at " + to_string(own->flow.remote) +
                    (over ? " has unregistered at " + client.node : " is registered at " + client.node + " now"));
        auto changes = registrar_.remove(own->id);
        registrations_.apply(std::move(changes), now, out);
    }
    return peers_.clients().put(std::move(client), now.wall);
}

Result<void> Edge::take_over(sip::Binding binding, Now now, Output& out) {
    const sip::Binding* own = registrar_.by_id(binding.id);
    if (own != nullptr && own->aor != binding.aor) return fail(Errc::refused, "the id is another user's");
    if (own != nullptr && !is_older(*own, binding)) {
        peers_.clients().forget(binding.id);
        return {};
    }
    if (binding.expires <= now.wall) return fail(Errc::refused, "it has expired");
    if (binding.flow.connection != 0) return fail(Errc::refused, "its connection is another node's");
    // Behind a NAT it is reached from the address alone that it has registered at, which may be on its way here.
    const Listener* known = settings_.find(binding.flow.transport, binding.flow.local);
    if (known == nullptr || (!known->here && binding.verdict.place != nat::Place::far_end)) {
        const Side side = binding.verdict.place == nat::Place::lan ? Side::lan : Side::wan;
        const Listener* like = settings_.find(side, binding.flow.remote.address, binding.flow.transport);
        if (like == nullptr) return fail(Errc::refused, "no socket here is like " + to_string(binding.flow.local));
        binding.flow.local = like->bound;
    }
    sip::BindingChange change{
        .kind = own != nullptr ? sip::BindingChange::Kind::updated : sip::BindingChange::Kind::added,
        .binding = binding,
        .taken = own == nullptr};
    (void)registrar_.replace(std::move(binding), now.wall);
    registrations_.apply({std::move(change)}, now, out);
    return {};
}

}  // namespace natkit::edge
