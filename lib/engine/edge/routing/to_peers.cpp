#include "../print.hpp"
#include "router.hpp"

/// Where requests go when several edges are active: to the edge that a client is registered at, or that sees to a
/// dialog; and what such an edge passes on, to the client that it is for.
namespace natkit::edge {

/// The next hop that a request names is another edge's: its dialog may be one of that.
void Router::look_elsewhere(const std::string& user, const sip::Message& request, Stripped& stripped) const {
    if (request.to_tag().empty()) return;
    const auto token = sip::decode_dialog_token(user, request.call_id(), secrets_.cipher);
    if (token) stripped.edge = peers_.edge_of(*token);
}

std::optional<Target> Router::target_at(const ForeignClient& client) const {
    const auto flow = peers_.flow_to(client.node);
    if (!flow) return std::nullopt;
    return Target{.flow = *flow,
                  .verdict = client.binding.verdict,
                  .uri = client.binding.contact,
                  .q = client.binding.q,
                  .server = {},
                  .others = {},
                  .host = {},
                  .binding = client.binding.id};
}

/// Another edge has taken this one for the owner of a client.
Route Router::to_own_client(const Upstream& from) const {
    Route found{.destination = proxy::Destination::registered, .targets = {}, .status = 0, .reason = {}};
    const sip::Binding* binding = from.origin ? registrar_.by_id(print_text(from.binding)) : nullptr;
    if (binding == nullptr || !neighbours_.alive(binding->flow)) {
        const bool earlier = from.epoch != 0 && from.epoch < peers_.epoch();
        found.status = 430;
        found.reason = earlier ? "Flow Of An Earlier Epoch Failed" : "Flow Failed";
        return found;
    }
    found.targets.push_back(
        {.flow = binding->flow, .verdict = binding->verdict, .uri = binding->contact, .binding = binding->id});
    return found;
}

/// There is no session here that would know: his registration does, by which flow he is reached now.
sip::Flow Router::caller_of_passed(const sip::DialogToken& token) const {
    const bool registered = token.edge && token.edge->passes && token.edge->client != 0;
    const sip::Binding* binding = registered ? registrar_.by_id(print_text(token.edge->client)) : nullptr;
    return binding == nullptr ? token.caller : binding->flow;
}

/// What belongs to another edge's dialog goes there as it came: its Route, or its Request-URI, has the token.
Route Router::to_edge(const Upstream& from, const Stripped& stripped) const {
    const auto flow = from.origin ? std::nullopt : peers_.flow_to(*stripped.edge);  // not from edge to edge to edge
    if (!flow) return {.destination = {}, .targets = {}, .status = 430, .reason = "Flow Failed"};
    return {.destination = proxy::Destination::dialog,
            .targets = {{.flow = *flow, .verdict = from.verdict, .uri = stripped.uri}},
            .status = 0,
            .reason = {}};
}

}  // namespace natkit::edge
