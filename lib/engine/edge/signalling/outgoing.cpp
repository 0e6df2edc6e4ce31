#include "../print.hpp"
#include "natkit/base/text.hpp"
#include "natkit/sip/message/identity.hpp"
#include "proxy.hpp"

/// What a request looks like when it leaves, and what is taken off messages in either direction.
namespace natkit::edge {
namespace {

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
std::vector<std::string> Proxy::record_routes(const sip::Message& request, const sip::Flow& from, const sip::Flow& to,
                                              WallTime now) const {
    const sip::Binding* caller = parts_.settings.by_peer(to) ? parts_.registrar.on_flow(from) : nullptr;
    const sip::DialogToken dialog{
        .caller = from, .callee = to, .start = now, .edge = parts_.peers.mark(to, caller == nullptr ? "" : caller->id)};
    const std::string token = sip::encode(dialog, request.call_id(), parts_.secrets.cipher);
    const std::string scheme = text::istarts_with(request.request_uri(), "sips:") ? "sips" : "sip";
    const auto uri = [&](const sip::Flow& flow) {
        const std::string transport = flow.transport == sip::Transport::udp
                                          ? std::string()
                                          : std::string(";transport=") + to_string(flow.transport);
        return "<" + scheme + ":" + token + "@" + parts_.neighbours.host_port(flow) + transport + ";lr>";
    };
    std::vector<std::string> routes = {uri(to)};
    if (from.transport != to.transport || parts_.neighbours.host_port(from) != parts_.neighbours.host_port(to))
        routes.push_back(uri(from));
    return routes;
}

std::string Proxy::own_via(const sip::Flow& flow, std::string_view branch) const {
    std::string via;
    via.reserve(128);
    via += "SIP/2.0/";
    for (const char c : std::string_view(to_string(flow.transport))) via += static_cast<char>(c - 'a' + 'A');
    (via += ' ') += parts_.neighbours.host_port(flow);
    (via += ";branch=") += branch;
    return via += ";rport";
}

sip::Sent Proxy::outgoing(const sip::Message& request, const Upstream& from, const Branch& branch,
                          const OwnRoutes& routes, std::optional<std::string> body, WallTime now) const {
    sip::Edit edit(request);
    edit.set_start_line(std::string(request.method()) + " " + branch.uri + " SIP/2.0");
    std::string own_branch = std::string(branch_prefix) + parts_.secrets.random_hex() + "-" + print_text(routes.print);
    edit.prepend(sip::Name::via, own_via(branch.flow, own_branch));
    if (makes_dialog(request)) {
        for (const std::string& route : record_routes(request, from.flow, branch.flow, now)) {
            edit.prepend(sip::Name::record_route, route);
        }
    }
    edit.pop_values(sip::Name::route, routes.own_routes);
    if (routes.strict) edit.pop_last_value(sip::Name::route);
    if (const auto strict = strict_hop(request, routes.own_routes, routes.strict)) {  // RFC 3261 section 16.6 step 6
        edit.pop_value(sip::Name::route);
        edit.append(sip::Name::route, "<" + branch.uri + ">");
        edit.set_start_line(std::string(request.method()) + " " + *strict + " SIP/2.0");
    }
    if (branch.registering) HomeServers::apply(edit, request, *branch.registering);
    // Another edge has removed what its sender may not say.
    remove_identities(edit, request, from.origin || proxy::identities_trusted(from.sender),
                      parts_.neighbours.trusted(branch.flow, branch.verdict));
    remove_own_passwords(edit, request);
    if (parts_.settings.by_peer(branch.flow)) {
        const sip::PeerContext of{.call_id = request.call_id(), .cseq = number_of(request), .method = request.method()};
        if (const auto proof = parts_.peers.proof(branch.flow, of, from, branch.binding))
            edit.append(sip::peer_field, *proof);
    }
    const auto hops = text::parse_number(request.value(sip::Name::max_forwards), 255);
    edit.set(sip::Name::max_forwards, std::to_string(hops ? *hops - 1 : 69));
    if (body) edit.set_body(std::move(*body));
    return {.bytes = std::make_shared<const std::string>(edit.finish()),
            .method = std::string(request.method()),
            .branch = std::move(own_branch),
            .share = from.share};
}

/// The password was for us alone (RFC 3261 section 22.3).
void Proxy::remove_own_passwords(sip::Edit& edit, const sip::Message& request) const {
    if (parts_.settings.users == nullptr) return;
    for (const sip::Header& header : request.headers()) {
        if (header.name != sip::Name::proxy_authorization && header.name != sip::Name::authorization) continue;
        if (parts_.settings.users->knows_realm(sip::challenge_field(header.value, "realm"))) edit.remove(header);
    }
}

/// Nobody but us asks for the passwords of our realms.
void Proxy::remove_own_challenges(sip::Edit& edit, const sip::Message& response) const {
    if (parts_.settings.users == nullptr) return;
    for (const sip::Header& header : response.headers()) {
        if (header.name != sip::Name::proxy_authenticate && header.name != sip::Name::www_authenticate) continue;
        if (parts_.settings.users->knows_realm(sip::challenge_field(header.value, "realm"))) edit.remove(header);
    }
}

/// What only trusted neighbours may say (RFC 3325 section 5), and what edges show each other, in requests and responses
/// of every method; and what they say, where its subject wants it to go to nobody else (section 7).
void Proxy::remove_identities(sip::Edit& edit, const sip::Message& message, bool from_trusted, bool to_trusted) const {
    const bool told = from_trusted || parts_.settings.open_registrar;
    sip::Privacy privacy;
    for (const sip::Header& header : message.headers()) {
        if (text::iequals(header.name_text, "Privacy")) privacy.add(header.value);
    }
    for (const sip::Header& header : message.headers()) {
        if (parts_.settings.peers && is_proof(header)) edit.remove(header);
        const sip::IdentityField* field =
            header.name == sip::Name::other ? sip::identity_field(header.name_text) : nullptr;
        if (field == nullptr) continue;
        if (!told || (!to_trusted && privacy.withholds(*field, header.value))) edit.remove(header);
    }
}

}  // namespace natkit::edge
