#include <algorithm>
#include <array>

#include "edge.hpp"
#include "natkit/base/text.hpp"
#include "natkit/sip/identity.hpp"

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

}  // namespace

/// Whether a flow leads to a server of [sip.routes]; of one domain, where it is named.
bool Edge::is_server(const sip::Flow& flow, std::string_view domain) const {
    return std::ranges::any_of(server_addresses_, [&](const auto& known) {
        return (domain.empty() || known.first == domain) && known.second.contains(flow.remote.address);
    });
}

/// Tools that look for open doors say what they are; they get no answer at all, unless they are on the LAN.
bool Edge::unwelcome(const sip::Message& request, const sip::Flow& flow) const {
    constexpr std::array scanners = {
        "friendly-scanner", "sipvicious", "sundayddr",       "sip-scan",         "sipsak", "smap", "iwar",
        "sipcli",           "pplsip",     "vaxsipuseragent", "friendly-request", "sipptk", "gulp"};
    if (settings_.open_registrar || settings_.networks.lan.contains(flow.remote.address)) return false;
    const std::string_view agent = request.value(sip::Name::user_agent);
    if (agent.empty() || agent.size() > 200) return false;
    const std::string name = text::lower(agent);
    return std::ranges::any_of(scanners, [&](std::string_view one) { return name.find(one) != std::string::npos; });
}

/// An extension that the sender insists on, and the edge does not have (RFC 3261 sections 16.3 and 10.3): 420.
bool Edge::has_extensions(const sip::RequestEvent& event, sip::Name field, Now now, Output& out) {
    std::string all;
    for (const std::string_view tag : event.message.values(field)) all += (all.empty() ? "" : ", ") + std::string(tag);
    if (all.empty()) return false;
    reject(event.server, event.message, 420, {}, now, out, {{"Unsupported", all}});
    return true;
}

/// Whom the media ports of a call are counted for.
proxy::Payer Edge::payer_of(const sip::Message& request, const Upstream& from) const {
    if (settings_.open_registrar) return {};
    proxy::Payer payer{.sender = from.sender, .name = {}};
    if (from.sender == proxy::Sender::lan || from.sender == proxy::Sender::server) return payer;
    if (from.sender == proxy::Sender::user) {
        const auto claimed = claimed_user(request);
        const sip::Binding* registered = registrar_.on_flow(from.flow);
        payer.name = claimed                 ? settings_.address_of_record(*claimed)
                     : registered != nullptr ? registered->aor
                                             : std::string();
    }
    if (payer.name.empty()) payer.name = to_string(nat::source_of(from.flow.remote.address));
    return payer;
}

/// What rings holds media ports: strangers have their share of them, and no more.
bool Edge::has_too_many(const Parked& asked, const Route& found, Now now, Output& out) {
    const sip::Message& request = asked.request;
    const bool counts = asked.upstream.sender == proxy::Sender::stranger && !settings_.open_registrar &&
                        request.method() == "INVITE" && request.to_tag().empty();
    if (!counts) return false;
    const IpAddress& source = asked.upstream.flow.remote.address;
    using Verdict = proxy::Unanswered::Verdict;
    const Verdict verdict = unanswered_.admit(asked.server, source, found.targets.size());
    if (verdict == Verdict::pass) return false;
    if (flood_.first_refusal(source, now.steady)) {
        out.log(LogLevel::problems, "INVITE from " + to_string(source) + " refused: too many calls of " +
                                        (verdict == Verdict::source ? "its" : "strangers") + " are not answered yet");
    }
    if (verdict == Verdict::source) {
        reject(asked.server, request, 486, "Too Many Unanswered Calls", now, out);
    } else {
        reject(asked.server, request, 503, "Too Many Unanswered Calls", now, out, {{"Retry-After", "10"}});
    }
    return true;
}

bool Edge::trusted(const sip::Flow& flow, const nat::Verdict& party) const {
    return (party.place == nat::Place::lan && settings_.lan_trusted) || is_server(flow);
}

/// The user of an embedded domain that the sender says it is. What a callee would read as one of ours is one of ours: a
/// dot behind the domain or another port make no difference to a human eye.
std::optional<sip::Uri> Edge::claimed_user(const sip::Message& request) const {
    const auto& from = request.from();
    if (!from) return std::nullopt;
    auto uri = sip::Uri::parse(from->uri);
    if (!uri) return std::nullopt;
    if (uri->host.ends_with('.')) uri->host.pop_back();
    const auto address = uri->address();
    if (!settings_.is_own(*uri) && !(address && settings_.is_own_address(*address))) return std::nullopt;
    return std::move(*uri);
}

/// A server of [sip.routes] can always be reached again at the port that its Via names, whatever becomes of the
/// connection by which it sent a request: its dialogs are bound to that (RFC 3261 section 18.2.2).
sip::Flow Edge::lasting(const sip::Flow& flow, const sip::Message& request) const {
    if (flow.connection == 0 || request.method() == "REGISTER" || !is_server(flow)) return flow;
    const auto& via = request.top_via();
    if (!via) return flow;
    sip::Flow server = flow;
    server.connection = 0;
    server.remote.port = via->port.value_or(flow.transport == sip::Transport::tls ? 5061 : 5060);
    return server;
}

proxy::Facts Edge::facts_of(const sip::Message& request, const sip::Flow& flow, nat::Place place,
                            const Stripped& stripped) const {
    const auto claimed = claimed_user(request);
    const auto* binding = registrar_.on_flow(flow, claimed ? settings_.address_of_record(*claimed) : std::string());
    return {.on_lan = place == nat::Place::lan,
            .lan_trusted = settings_.lan_trusted,
            .from_server = is_server(flow) || (stripped.client && stripped.client->server == flow.remote.address),
            .own_flow = binding != nullptr && binding->authenticated && !elsewhere_,  // a Via can name any port
            .password = false,
            .claims_user = claimed.has_value(),
            .users_kept = settings_.users != nullptr && !settings_.open_registrar,
            .in_dialog = stripped.token.has_value()};
}

Edge::Upstream Edge::upstream_of(const sip::Message& request, const sip::Flow& flow, const Stripped& stripped,
                                 bool password) const {
    const auto& via = request.top_via();
    const nat::Evidence seen{.received = flow.remote.address,
                             .via = via ? via->address() : std::nullopt,
                             .contact = contact_address(request),
                             .via_count = static_cast<unsigned>(request.values(sip::Name::via).size())};
    Upstream from{.flow = lasting(flow, request),
                  .party = nat::classify(seen, settings_.networks),
                  .sender = proxy::Sender::stranger,
                  .elsewhere = elsewhere_};
    proxy::Facts facts = facts_of(request, flow, from.party.place, stripped);
    facts.password = password;
    from.by_password = password;
    from.sender = proxy::sender_of(facts);
    from.share = share_of(from.sender, facts.in_dialog);
    if (from.party.place == nat::Place::lan) return from;
    // Later requests need not show what the REGISTER showed.
    if (const sip::Binding* binding = registrar_.on_flow(flow)) from.party = binding->party;
    return from;
}

/// The credentials for that realm, or with an empty one for any realm of ours, if there are any.
std::optional<sip::Credentials> Edge::own_credentials(const sip::Message& request, sip::Name name,
                                                      std::string_view realm) const {
    if (settings_.users == nullptr) return std::nullopt;
    for (const sip::Header& header : request.headers()) {
        if (header.name != name) continue;
        auto credentials = sip::Credentials::parse(header.value);
        if (!credentials) continue;
        if (realm.empty() ? settings_.users->knows_realm(credentials->realm) : credentials->realm == realm) {
            return std::move(*credentials);
        }
    }
    return std::nullopt;
}

/// RFC 7616 section 3.4.6: credentials for another request are not for this one. `uri` is what a strict router has
/// made of the Request-URI.
bool Edge::for_this_uri(const sip::Credentials& credentials, const sip::Message& request, const std::string& uri) {
    const auto meant = sip::Uri::parse(credentials.uri);
    return meant && std::ranges::any_of(std::array{std::string(request.request_uri()), uri}, [&](const auto& text) {
               const auto asked = sip::Uri::parse(text);
               return asked && asked->same_address(*meant);
           });
}

/// The password was for us alone (RFC 3261 section 22.3).
void Edge::remove_own_passwords(sip::Edit& edit, const sip::Message& request) const {
    if (settings_.users == nullptr) return;
    for (const sip::Header& header : request.headers()) {
        if (header.name != sip::Name::proxy_authorization && header.name != sip::Name::authorization) continue;
        if (settings_.users->knows_realm(sip::challenge_field(header.value, "realm"))) edit.remove(header);
    }
}

/// Nobody but us asks for the passwords of our realms.
void Edge::remove_own_challenges(sip::Edit& edit, const sip::Message& response) const {
    if (settings_.users == nullptr) return;
    for (const sip::Header& header : response.headers()) {
        if (header.name != sip::Name::proxy_authenticate && header.name != sip::Name::www_authenticate) continue;
        if (settings_.users->knows_realm(sip::challenge_field(header.value, "realm"))) edit.remove(header);
    }
}

/// Whether a request without a dialog's token comes from where one of its ends is.
bool Edge::is_party(const sip::Flow& flow, SessionId session) const {
    return std::ranges::any_of(std::array{End::caller, End::callee}, [&](End end) {
        const IpAddress& known = media_.end_info(session, end).flow.remote.address;
        return nat::same_site(known, flow.remote.address, settings_.networks);
    });
}

std::string Edge::realm_for(const std::optional<sip::Uri>& user) const {
    if (user && !user->address()) return settings_.users->realm_of(text::lower(user->host));
    return settings_.users->realm_of(settings_.domains.empty() ? std::string() : settings_.domains.front());
}

/// RFC 3261 section 22.3: whoever claims to be one of our users from outside proves it. False: it was answered.
bool Edge::admit(const sip::RequestEvent& event, const Stripped& stripped, Upstream& from, Now now, Output& out) {
    if (settings_.users == nullptr || settings_.open_registrar) return true;
    const sip::Message& request = event.message;
    const bool asked = proxy::must_prove(facts_of(request, event.flow, from.party.place, stripped));
    const bool offered = from.sender == proxy::Sender::stranger && !stripped.token;
    const auto user = claimed_user(request);
    const auto credentials =
        offered ? own_credentials(request, sip::Name::proxy_authorization, user ? realm_for(user) : std::string())
                : std::nullopt;
    if (!asked && !credentials) return true;
    return prove(event, stripped, from, credentials, now, out);
}

/// A flow over UDP is no password: its source can be spoofed. True: it was answered.
bool Edge::lacks_proof(Parked& asked, const Route& found, Now now, Output& out) {
    if (settings_.users == nullptr || settings_.open_registrar) return false;
    const Upstream& from = asked.upstream;
    const bool needed = !from.by_password && !asked.stripped.token && spoofable(from.flow, kind_of(from.flow)) &&
                        proxy::needs_password(from.sender, found.destination);
    if (!needed) return false;
    const auto user = claimed_user(asked.request);
    const auto credentials =
        own_credentials(asked.request, sip::Name::proxy_authorization, user ? realm_for(user) : std::string());
    const sip::RequestEvent event{.server = asked.server, .message = asked.request, .flow = from.flow};
    return !prove(event, asked.stripped, asked.upstream, credentials, now, out);
}

/// Whether the credentials are right, and of who the sender says it is. False: it was answered.
bool Edge::prove(const sip::RequestEvent& event, const Stripped& stripped, Upstream& from,
                 const std::optional<sip::Credentials>& credentials, Now now, Output& out) {
    const sip::Message& request = event.message;
    const auto user = claimed_user(request);
    const sip::Binding* binding = registrar_.on_flow(event.flow);
    const std::string name = user          ? user->user
                             : credentials ? credentials->username
                             : binding     ? binding->aor.substr(0, binding->aor.find('@'))
                                           : std::string();
    if (!credentials) {
        challenge(event, 407, name, realm_for(user), false, now, out);
        return false;
    }
    if (!for_this_uri(*credentials, request, stripped.uri)) {
        reject(event.server, request, 400, "Credentials For Another URI", now, out);
        return false;
    }
    using Verdict = sip::Authenticator::Verdict;
    const Verdict verdict =
        authenticator_.verify(*credentials, request.method(), *settings_.users, site_text(event.flow), now.wall);
    if (verdict != Verdict::good) {
        if (verdict == Verdict::wrong) {
            out.log(LogLevel::problems, "wrong password for " + text::printable(credentials->username, 60) + " from " +
                                            to_string(event.flow.remote));
        }
        challenge(event, 407, name, realm_for(user), verdict == Verdict::stale, now, out);
        return false;
    }
    if (user && !settings_.is_name_of(*user, credentials->username)) {
        out.log(LogLevel::problems, text::printable(credentials->username, 60) + " at " + to_string(event.flow.remote) +
                                        " claims to be " + text::printable(user->user, 60) + ": refused");
        reject(event.server, request, 403, {}, now, out);
        return false;
    }
    if (event.flow.transport == sip::Transport::udp) proven_.note(event.flow.remote, now.steady);
    from = upstream_of(request, event.flow, stripped, true);
    return true;
}

void Edge::challenge(const sip::RequestEvent& event, int status, std::string_view user, const std::string& realm,
                     bool stale, Now now, Output& out) {
    const char* field = status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
    std::vector<std::pair<std::string, std::string>> fields;
    const std::string salt = secrets_.random_hex();
    for (auto& value :
         authenticator_.challenge(realm, user, *settings_.users, site_text(event.flow), salt, stale, now.wall)) {
        fields.emplace_back(field, std::move(value));
    }
    // What is too long an answer for its question is not sent to who may be somebody else: of several ways to prove it
    // the last is left, which all phones know.
    if (fields.size() > 1 && arrived_ != 0 && spoofable(event.flow, kind_of(event.flow))) {
        const auto answer =
            sip::make_response(event.message, status, sip::reason_of(status), tag_of(event.message), fields);
        if (answer.size() > 3 * arrived_) fields.erase(fields.begin(), fields.end() - 1);
    }
    reject(event.server, event.message, status, {}, now, out, fields);
}

/// What only trusted neighbours may say (RFC 3325 section 5), in requests and responses of every method; and what they
/// say, where its subject wants it to go to nobody else (section 7).
void Edge::remove_identities(sip::Edit& edit, const sip::Message& message, bool from_trusted, bool to_trusted) const {
    const bool told = from_trusted || settings_.open_registrar;
    sip::Privacy privacy;
    for (const sip::Header& header : message.headers()) {
        if (text::iequals(header.name_text, "Privacy")) privacy.add(header.value);
    }
    for (const sip::Header& header : message.headers()) {
        const sip::IdentityField* field =
            header.name == sip::Name::other ? sip::identity_field(header.name_text) : nullptr;
        if (field == nullptr) continue;
        if (!told || (!to_trusted && privacy.withholds(*field, header.value))) edit.remove(header);
    }
}

}  // namespace natkit::edge
