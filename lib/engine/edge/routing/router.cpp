#include "router.hpp"

#include <algorithm>

#include "../print.hpp"
#include "natkit/base/text.hpp"

namespace natkit::edge {
namespace {

constexpr std::size_t shortest_token = 32;  ///< no token has fewer letters

/// Whether this is where the sender of a request is. What another edge has passed on for a dialog of ours came there
/// from a party, whose own address tells, unless that edge is an end of the dialog itself.
bool came_from(const sip::Flow& end, const Upstream& from, bool between_edges, bool exactly, const Settings& settings) {
    if (from.origin && !between_edges) {
        if (settings.by_peer(end)) return false;
        return exactly ? end.remote == *from.origin
                       : nat::same_site(end.remote.address, from.origin->address, settings.networks);
    }
    return exactly ? end == from.flow : nat::same_site(end.remote.address, from.flow.remote.address, settings.networks);
}

}  // namespace

std::uint64_t Router::fingerprint(const sip::Message& request, const sip::Flow& flow) {
    std::uint64_t hash = sip::FlowHash()(flow);
    const auto mix = [&hash](std::string_view text) { hash = mixed(hash, text); };
    mix(request.request_uri());
    mix(request.call_id());
    mix(request.value(sip::Name::from));
    mix(request.value(sip::Name::to));
    mix(request.value(sip::Name::cseq));
    for (const sip::Header& header : request.headers()) {
        if (header.name == sip::Name::route || header.name == sip::Name::proxy_authorization) mix(header.value);
    }
    return hash;
}

std::optional<sip::ClientToken> Router::client_token(std::string_view user, WallTime now) const {
    if (auto token = sip::decode_client_token(user, secrets_.cipher)) return *token;
    const auto& upgraded = secrets_.encrypts_since;
    if (!upgraded || now > *upgraded + settings_.max_dialog) return std::nullopt;
    const auto old = sip::decode_old_client_token(user, secrets_.mac);
    return old ? std::optional(*old) : std::nullopt;
}

void Router::read_token(const std::string& user, const sip::Message& request, Now now, Stripped& stripped) const {
    auto token = sip::decode_dialog_token(user, request.call_id(), secrets_.cipher);
    const auto& upgraded = secrets_.encrypts_since;
    if (!token && upgraded && now.wall <= *upgraded + settings_.max_dialog) {
        token = sip::decode_old_dialog_token(user, request.call_id(), secrets_.mac);
        if (token) token->start = *upgraded;
    }
    if (token) {
        stripped.edge = peers_.edge_of(*token);
        if (stripped.edge) return;
        stripped.token = *token;
        const bool old = now.wall > token->start + settings_.max_dialog;
        if (old || media_.has_ended(request.call_id(), *token, request.method(), now.steady)) stripped.over = true;
    } else if (const auto client = client_token(user, now.wall)) {
        stripped.client = *client;
    } else {
        stripped.forged = true;
    }
}

Stripped Router::strip_routes(const sip::Message& request, Now now) const {
    Stripped stripped;
    stripped.uri = request.request_uri();
    const auto routes = request.values(sip::Name::route);
    std::size_t count = routes.size();
    std::string before_it;
    const auto read = [&](const std::string& user) {
        if (user.size() < shortest_token) return;  // the name of a user, or of an outbound proxy
        if (user == before_it) return;             // a double Record-Route
        before_it = user;
        read_token(user, request, now, stripped);
    };
    if (const auto target = sip::Uri::parse(stripped.uri);
        target && target->user.size() >= shortest_token && settings_.is_own(*target)) {
        read(target->user);
        stripped.by_contact = stripped.client.has_value();
        if (!stripped.token && !stripped.client) stripped.forged = false;  // a user with a long name
        if (const auto last =
                stripped.token && count > 0 ? sip::NameAddr::parse(routes[count - 1]) : fail(Errc::not_found, {})) {
            // A strict router put our Record-Route into the Request-URI (RFC 3261 section 16.4).
            stripped.uri = last->uri;
            stripped.strict = true;
            --count;
        }
    }
    before_it.clear();  // what the Request-URI may be, a Route need not
    for (std::size_t i = 0; i < count; ++i) {
        const auto route = sip::NameAddr::parse(routes[i]);
        const auto uri = route ? sip::Uri::parse(route->uri) : sip::Uri::parse("");
        if (!uri || !settings_.is_own(*uri)) {
            stripped.next_route = route ? route->uri : std::string(routes[i]);
            if (settings_.peers && uri && uri->user.size() >= shortest_token && !stripped.token)
                look_elsewhere(uri->user, request, stripped);
            break;
        }
        const auto before = stripped.token;
        read(uri->user);
        if (stripped.edge) {  // which reads it itself
            stripped.next_route = route->uri;
            break;
        }
        if (stripped.token && !before)
            stripped.between_edges = settings_.peers && uri->address() == settings_.peers->own.listen.address &&
                                     uri->port == settings_.peers->own.listen.port;
        if (before && stripped.token != before) {  // the next turn of a spiral: somebody stands between
            stripped.token = before;
            break;
        }
        ++stripped.own_routes;
    }
    // A token lets one into a dialog that exists, not into a new one.
    if ((stripped.token || stripped.edge) && request.to_tag().empty()) stripped.forged = true;
    return stripped;
}

bool Router::looped(const sip::Message& request, const Stripped& stripped) {
    const std::string mark = "-" + print_text(stripped.print);
    for (const std::string_view via : request.values(sip::Name::via)) {
        const std::size_t at = via.find(branch_prefix);
        if (at == std::string_view::npos) continue;
        const std::string_view branch = via.substr(at, via.find_first_of(";, \t\r\n", at) - at);
        if (branch.ends_with(mark)) return true;
    }
    return false;
}

Route Router::find(const sip::Uri& uri, const sip::Message& request, const Upstream& from, const Stripped& stripped,
                   const LocatedHop* located, WallTime now) const {
    const Server* server = settings_.server_of(uri);
    if (from.binding != 0) return to_own_client(from);
    if (stripped.edge) return to_edge(from, stripped);
    if (stripped.token) return in_dialog(request, from, stripped);
    if (from.origin) return {.destination = {}, .targets = {}, .status = 403, .reason = "No Way From Another Edge"};
    if (stripped.client) return to_client(from, stripped);
    if (stripped.next_route) {
        const auto next = sip::Uri::parse(*stripped.next_route);
        const bool same = server != nullptr && next && settings_.server_of(*next) == server;
        return same ? to_server(*server, stripped.uri, located)
                    : next_hops_.to(*stripped.next_route, stripped.uri, false, located);
    }
    if (settings_.is_own(uri)) return to_user(uri, now);
    if (server != nullptr) return to_server(*server, stripped.uri, located);
    return next_hops_.to(stripped.uri, stripped.uri, false, located);
}

/// Whether a REGISTER for a user of one domain is about to go to the server of another: by way of that, somebody could
/// be registered here as who he is not.
bool Router::registers_elsewhere(const sip::Message& request, const Route& found) const {
    if (request.method() != "REGISTER" || found.targets.empty() || found.targets.front().server.empty()) return false;
    const auto& to = request.to();
    const auto user = to ? sip::Uri::parse(to->uri) : sip::Uri::parse("");
    const Server* server = user ? settings_.server_of(*user) : nullptr;
    return server == nullptr || server->domain != found.targets.front().server;
}

Route Router::route(const sip::Message& request, const Upstream& from, const Stripped& stripped,
                    const LocatedHop* located, WallTime now) const {
    const auto uri = sip::Uri::parse(stripped.uri);
    const bool secure = uri && uri->scheme == "sips";
    if (!uri || (uri->scheme != "sip" && !secure))
        return {.destination = {}, .targets = {}, .status = 416, .reason = "Unsupported URI Scheme"};
    Route found = find(*uri, request, from, stripped, located, now);
    if (registers_elsewhere(request, found)) {
        found = {.destination = found.destination, .targets = {}, .status = 403, .reason = "Another Server's User"};
    }
    if (secure && !stripped.token && found.status == 0 && found.lookup.empty()) {
        // RFC 3261 section 26.2.2: a sips URI is reached by TLS or not at all.
        std::erase_if(found.targets, [](const Target& to) { return to.flow.transport != sip::Transport::tls; });
        for (Target& to : found.targets) {
            std::erase_if(to.others, [](const sip::Flow& flow) { return flow.transport != sip::Transport::tls; });
        }
        if (found.targets.empty()) found.status = 480;
    }
    if (found.status == 0 && !settings_.open_registrar && !proxy::may_send(from.sender, found.destination)) {
        found = {.destination = found.destination, .targets = {}, .status = 403, .reason = "Forbidden"};
    }
    return found;
}

Route Router::to_server(const Server& server, const std::string& request_uri, const LocatedHop* located) const {
    Route found = next_hops_.to(server.to, request_uri, true, located);
    found.destination = server.trunk ? proxy::Destination::trunk : proxy::Destination::home;
    for (Target& target : found.targets) target.server = server.domain;
    return found;
}

/// A client of another server, by the token that this server was given: to the newest flow of its registration.
Route Router::to_client(const Upstream& from, const Stripped& stripped) const {
    const sip::ClientToken& token = *stripped.client;
    const sip::Binding* binding = registrar_.by_id(print_text(token.binding));
    const bool given = from.flow.remote.address == token.server ||
                       (binding != nullptr && neighbours_.is_server(from.flow, binding->server));
    Route found{.destination = proxy::Destination::client, .targets = {}, .status = 0, .reason = {}};
    const auto foreign = binding == nullptr ? peers_.clients().by_id(print_text(token.binding)) : std::nullopt;
    auto target = foreign ? target_at(*foreign) : std::nullopt;
    if (!given && !(foreign && neighbours_.is_server(from.flow, foreign->binding.server))) {
        found.status = 403;
        found.reason = "Another's Token";
    } else if (target) {
        found.targets.push_back(std::move(*target));
    } else if (binding == nullptr || !neighbours_.alive(binding->flow)) {
        found.status = 430;
        found.reason = "Flow Failed";
    } else {
        found.targets.push_back({.flow = binding->flow,
                                 .verdict = binding->verdict,
                                 .uri = stripped.by_contact ? binding->contact : stripped.uri,
                                 .binding = binding->id});
    }
    return found;
}

/// The token names both flows of the dialog, and its session the newest ones: the request goes to the end it did not
/// come from. A NAT may have given its sender another port meanwhile, so where no flow is equal the address decides.
Route Router::in_dialog(const sip::Message& request, const Upstream& from, const Stripped& stripped) const {
    const sip::DialogToken& token = *stripped.token;
    const auto known = media_.find(request.call_id(), request.from_tag(), request.to_tag(), &token);
    const SessionId session = known && media_.token(*known) == token ? *known : 0;  // 0: none
    sip::DialogToken newest{.caller = caller_of_passed(token), .callee = token.callee};
    if (session != 0) {
        newest = {.caller = media_.end_info(session, End::caller).flow,
                  .callee = media_.end_info(session, End::callee).flow};
    }
    const auto sent = [&](const sip::Flow& first, const sip::Flow& now, bool exactly) {
        return came_from(first, from, stripped.between_edges, exactly, settings_) ||
               came_from(now, from, stripped.between_edges, exactly, settings_);
    };
    const auto caller_sent = [&](bool exactly) { return sent(token.caller, newest.caller, exactly); };
    const auto callee_sent = [&](bool exactly) { return sent(token.callee, newest.callee, exactly); };
    const bool exactly = caller_sent(true) || callee_sent(true);
    const bool from_caller = caller_sent(exactly);
    const bool from_callee = callee_sent(exactly);
    bool to_callee = from_caller;
    if (from_caller && from_callee) {  // both behind one address, ports changed: the tags tell
        to_callee = session == 0 || media_.end_of(session, request.from_tag()) == End::caller;
    } else if (!from_caller && !from_callee) {
        return {.destination = {}, .targets = {}, .status = 403, .reason = "Not A Party Of This Dialog"};
    }
    const sip::Flow& to = to_callee ? newest.callee : newest.caller;
    if (!neighbours_.alive(to)) {
        return {.destination = {}, .targets = {}, .status = 430, .reason = "Flow Failed"};
    }
    const sip::Binding* binding = registrar_.on_flow(to);
    const auto verdict = session != 0         ? media_.end_info(session, to_callee ? End::callee : End::caller).verdict
                         : binding != nullptr ? binding->verdict
                                              : nat::classify_address(to.remote.address, settings_.networks);
    return {.destination = proxy::Destination::dialog,
            .targets = {{.flow = to, .verdict = verdict, .uri = stripped.uri}},
            .status = 0,
            .reason = {}};
}

Route Router::to_user(const sip::Uri& uri, WallTime now) const {
    Route found{.destination = proxy::Destination::registered, .targets = {}, .status = 0, .reason = {}};
    for (const sip::Binding& binding : registrar_.lookup(settings_.address_of_record(uri), now)) {
        if (!neighbours_.alive(binding.flow)) continue;
        found.targets.push_back({.flow = binding.flow,
                                 .verdict = binding.verdict,
                                 .uri = binding.contact,
                                 .q = binding.q,
                                 .binding = binding.id});
    }
    for (const ForeignClient& client : peers_.clients().lookup(settings_.address_of_record(uri), now)) {
        if (auto target = target_at(client)) found.targets.push_back(std::move(*target));
    }
    if (found.targets.empty()) {
        found.status = 404;
        found.reason = "Not Found";
    }
    std::ranges::stable_sort(found.targets, std::greater{}, &Target::q);
    return found;
}

}  // namespace natkit::edge
