#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/engine/edge/edge.hpp"

namespace natkit::edge {
namespace {

std::optional<IpAddress> contact_address(const sip::Message& request) {
    const auto contacts = request.values(sip::Name::contact);
    if (contacts.empty()) return std::nullopt;
    const auto contact = sip::NameAddr::parse(contacts.front());
    if (!contact) return std::nullopt;
    const auto uri = sip::Uri::parse(contact->uri);
    return uri ? uri->address() : std::nullopt;
}

sip::Transport transport_of(const sip::Uri& uri) {
    const auto name = uri.params.get("transport");
    if (!name) return sip::Transport::udp;
    const auto transport = sip::parse_transport(*name);
    return transport ? *transport : sip::Transport::udp;
}

}  // namespace

Edge::Stripped Edge::strip_routes(const sip::Message& request) const {
    Stripped stripped;
    for (const std::string_view value : request.values(sip::Name::route)) {
        const auto route = sip::NameAddr::parse(value);
        const auto uri = route ? sip::Uri::parse(route->uri) : sip::Uri::parse("");
        if (!uri || !settings_.is_own(*uri)) {
            stripped.next_route = route ? route->uri : std::string(value);
            break;
        }
        ++stripped.own_routes;
        if (uri->user.empty()) continue;  // an outbound proxy setting of the phone
        const auto token = sip::decode_dialog_token(uri->user, request.call_id(), secrets_.mac);
        if (token) {
            stripped.token = *token;
        } else {
            stripped.forged = true;
        }
    }
    // A token lets one into a dialog that exists, not into a new one.
    if (stripped.token && request.to_tag().empty()) stripped.forged = true;
    return stripped;
}

Edge::Upstream Edge::upstream_of(const sip::Message& request, const sip::Flow& flow) const {
    const auto via = request.top_via();
    const nat::Evidence seen{.received = flow.remote.address,
                             .via = via ? via->address() : std::nullopt,
                             .contact = contact_address(request),
                             .via_count = static_cast<unsigned>(request.values(sip::Name::via).size())};
    Upstream from{.flow = flow, .party = nat::classify(seen, settings_.networks), .sender = proxy::Sender::stranger};
    if (from.party.place == nat::Place::lan) {
        from.sender = proxy::Sender::lan;
    } else if (const sip::Binding* binding = registrar_.on_flow(flow)) {
        from.sender = proxy::Sender::registered;
        from.party = binding->party;  // later requests need not show what the REGISTER showed
    }
    return from;
}

Edge::Route Edge::route(const sip::Message& request, const Upstream& from, const Stripped& stripped,
                        WallTime now) const {
    Route found;
    const auto uri = sip::Uri::parse(request.request_uri());
    if (uri->scheme != "sip") {
        found = {.destination = {}, .targets = {}, .status = 416, .reason = "Unsupported URI Scheme"};
    } else if (stripped.token) {
        found = route_in_dialog(request, from, stripped);
    } else if (stripped.next_route) {
        found = route_to_address(*stripped.next_route, std::string(request.request_uri()));
    } else if (settings_.is_own(*uri)) {
        found = route_to_user(*uri, now);
    } else {
        found = route_to_address(std::string(request.request_uri()), std::string(request.request_uri()));
    }
    if (found.status == 0 && !proxy::may_send(from.sender, found.destination)) {
        found = {.destination = found.destination, .targets = {}, .status = 403, .reason = "Forbidden"};
    }
    return found;
}

/// The token names both flows of the dialog: the request goes to the one it did not come from. A NAT may have given its
/// sender another port meanwhile, so where no flow is equal the address decides.
Edge::Route Edge::route_in_dialog(const sip::Message& request, const Upstream& from, const Stripped& stripped) const {
    const sip::DialogToken& token = *stripped.token;
    const auto came_from = [&](const sip::Flow& flow, bool exactly) {
        return exactly ? flow == from.flow : flow.remote.address == from.flow.remote.address;
    };
    const bool exactly = came_from(token.caller, true) || came_from(token.callee, true);
    const bool from_caller = came_from(token.caller, exactly);
    const bool from_callee = came_from(token.callee, exactly);
    bool to_callee = from_caller;
    if (from_caller && from_callee) {  // both behind one address, ports changed: the tags tell
        const auto session = media_.find(request.call_id(), request.from_tag(), request.to_tag());
        to_callee = !session || media_.end_of(*session, request.from_tag()) == End::caller;
    } else if (!from_caller && !from_callee) {
        return {.destination = {}, .targets = {}, .status = 403, .reason = "Not A Party Of This Dialog"};
    }
    const sip::Flow& to = to_callee ? token.callee : token.caller;
    if (settings_.find(to.transport, to.local) == nullptr) {
        return {.destination = {}, .targets = {}, .status = 430, .reason = "Flow Failed"};
    }
    const sip::Binding* binding = registrar_.on_flow(to);
    const auto party =
        binding != nullptr ? binding->party : nat::classify_address(to.remote.address, settings_.networks);
    return {.destination = proxy::Destination::dialog,
            .targets = {{.flow = to, .party = party, .uri = std::string(request.request_uri())}},
            .status = 0,
            .reason = {}};
}

Edge::Route Edge::route_to_user(const sip::Uri& uri, WallTime now) const {
    Route found{.destination = proxy::Destination::registered, .targets = {}, .status = 0, .reason = {}};
    for (const sip::Binding& binding : registrar_.lookup(settings_.address_of_record(uri), now)) {
        if (settings_.find(binding.flow.transport, binding.flow.local) == nullptr) continue;
        found.targets.push_back({.flow = binding.flow, .party = binding.party, .uri = binding.contact});
    }
    if (found.targets.empty()) {
        found.status = 404;
        found.reason = "Not Found";
    }
    return found;
}

Edge::Route Edge::route_to_address(const std::string& next_hop, const std::string& request_uri) const {
    const auto refused = [](int status, std::string reason) {
        return Route{.destination = {}, .targets = {}, .status = status, .reason = std::move(reason)};
    };
    const auto uri = sip::Uri::parse(next_hop);
    if (!uri || uri->scheme != "sip") return refused(416, "Unsupported URI Scheme");
    const auto address = uri->address();
    if (!address) return refused(404, "Host Names Are Not Resolved Here");
    const bool in_lan = settings_.networks.lan.contains(*address);
    const bool nobody = address->is_unspecified() || address->is_multicast() || address->is_broadcast() ||
                        address->is_link_local() || (address->is_loopback() && !in_lan);
    if (nobody || settings_.is_own_address(*address)) return refused(404, "Not Found");
    const Side side = in_lan ? Side::lan : Side::wan;
    const Listener* listener = settings_.find(side, address->family(), transport_of(*uri));
    if (listener == nullptr) return refused(503, "No Socket For This Destination");
    const sip::Flow flow{.transport = listener->transport,
                         .local = listener->bound,
                         .remote = {.address = *address, .port = uri->port.value_or(5060)}};
    return {
        .destination = in_lan ? proxy::Destination::inside : proxy::Destination::elsewhere,
        .targets = {{.flow = flow, .party = nat::classify_address(*address, settings_.networks), .uri = request_uri}},
        .status = 0,
        .reason = {}};
}

}  // namespace natkit::edge
