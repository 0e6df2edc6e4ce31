#include <algorithm>
#include <array>

#include "admission.hpp"
#include "natkit/base/text.hpp"
#include "natkit/sip/message/serialize.hpp"

/// Users prove who they are (RFC 3261 section 22, RFC 7616).
namespace natkit::edge {
namespace {

/// RFC 7616 section 3.4.6: credentials for another request are not for this one. `uri` is what a strict router has
/// made of the Request-URI.
bool for_this_uri(const sip::Credentials& credentials, const sip::Message& request, const std::string& uri) {
    const auto meant = sip::Uri::parse(credentials.uri);
    return meant && std::ranges::any_of(std::array{std::string(request.request_uri()), uri}, [&](const auto& text) {
               const auto asked = sip::Uri::parse(text);
               return asked && asked->same_address(*meant);
           });
}

}  // namespace

/// The user of an embedded domain that the sender says it is. What a callee would read as one of ours is one of ours: a
/// dot behind the domain or another port make no difference to a human eye.
std::optional<sip::Uri> Admission::claimed_user(const sip::Message& request) const {
    const auto& from = request.from();
    if (!from) return std::nullopt;
    auto uri = sip::Uri::parse(from->uri);
    if (!uri) return std::nullopt;
    if (uri->host.ends_with('.')) uri->host.pop_back();
    const auto address = uri->address();
    if (!settings_.is_own(*uri) && !(address && settings_.is_own_address(*address))) return std::nullopt;
    return std::move(*uri);
}

/// The credentials for that realm, or with an empty one for any realm of ours, if there are any.
std::optional<sip::Credentials> Admission::own_credentials(const sip::Message& request, sip::Name name,
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

std::string Admission::realm_for(const std::optional<sip::Uri>& user) const {
    if (user && !user->address()) return settings_.users->realm_of(text::lower(user->host));
    return settings_.users->realm_of(settings_.domains.empty() ? std::string() : settings_.domains.front());
}

std::optional<Answer> Admission::admit(JudgedRequest& asked, Now now, Output& out) {
    if (settings_.users == nullptr || settings_.open_registrar || asked.upstream.origin) return std::nullopt;
    const sip::Message& request = asked.request;
    const Upstream& from = asked.upstream;
    const bool needed =
        proxy::must_prove(facts_of(request, asked.flow, asked.asker, from.verdict.place, asked.stripped));
    const bool offered = from.sender == proxy::Sender::stranger && !asked.stripped.token;
    const auto user = claimed_user(request);
    const auto credentials =
        offered ? own_credentials(request, sip::Name::proxy_authorization, user ? realm_for(user) : std::string())
                : std::nullopt;
    if (!needed && !credentials) return std::nullopt;
    return prove(asked, credentials, now, out);
}

std::optional<Answer> Admission::lacks_proof(JudgedRequest& asked, const Route& found, Now now, Output& out) {
    if (settings_.users == nullptr || settings_.open_registrar) return std::nullopt;
    const Upstream& from = asked.upstream;
    const bool needed = !from.by_password && !from.origin && !asked.stripped.token &&
                        Neighbours::spoofable(from.flow, neighbours_.kind_of(from.flow)) &&
                        proxy::needs_password(from.sender, found.destination);
    if (!needed) return std::nullopt;
    const auto user = claimed_user(asked.request);
    const auto credentials =
        own_credentials(asked.request, sip::Name::proxy_authorization, user ? realm_for(user) : std::string());
    return prove(asked, credentials, now, out);
}

/// Whether the credentials are right, and of who the sender says it is; then the request is judged anew.
std::optional<Answer> Admission::prove(JudgedRequest& asked, const std::optional<sip::Credentials>& credentials,
                                       Now now, Output& out) {
    const auto user = claimed_user(asked.request);
    const sip::Binding* binding = registrar_.on_flow(asked.flow);
    const std::string name = user          ? user->user
                             : credentials ? credentials->username
                             : binding     ? binding->aor.substr(0, binding->aor.find('@'))
                                           : std::string();
    if (!credentials) return challenge(asked, 407, name, realm_for(user), false, now);
    if (auto wrong = check_password(asked, *credentials, asked.stripped.uri, 407, name, realm_for(user), now, out))
        return wrong;
    if (user && !settings_.is_name_of(*user, credentials->username)) {
        out.log(LogLevel::problems, text::printable(credentials->username, 60) + " at " + to_string(asked.flow.remote) +
                                        " claims to be " + text::printable(user->user, 60) + ": refused");
        return Answer{.status = 403};
    }
    if (asked.flow.transport == sip::Transport::udp) proven_.note(asked.flow.remote, now.steady);
    asked.upstream = upstream_of(asked.request, asked.flow, asked.asker, asked.stripped, true);
    return std::nullopt;
}

std::optional<Answer> Admission::prove_registration(const JudgedRequest& asked, const sip::Uri& user, Now now,
                                                    Output& out) {
    const sip::Message& request = asked.request;
    const std::string domain =
        user.address() && !settings_.domains.empty() ? settings_.domains.front() : text::lower(user.host);
    const std::string realm = settings_.users->realm_of(domain);
    const auto credentials = own_credentials(request, sip::Name::authorization, realm);
    if (!credentials) return challenge(asked, 401, user.user, realm, false, now);
    const std::string uri(request.request_uri());
    if (auto wrong = check_password(asked, *credentials, uri, 401, user.user, realm, now, out)) return wrong;
    if (!settings_.is_name_of(user, credentials->username)) {
        out.log(LogLevel::problems, "REGISTER of " + text::printable(user.user, 60) + " from " +
                                        to_string(asked.flow.remote) + " refused: it has the password of " +
                                        text::printable(credentials->username, 60));
        return Answer{.status = 403};
    }
    if (asked.flow.transport == sip::Transport::udp) proven_.note(asked.flow.remote, now.steady);
    return std::nullopt;
}

/// `uri`: what a strict router has made of the Request-URI. `status`, `user`, `realm`: of another challenge.
std::optional<Answer> Admission::check_password(const JudgedRequest& asked, const sip::Credentials& credentials,
                                                const std::string& uri, int status, std::string_view user,
                                                const std::string& realm, Now now, Output& out) {
    const sip::Message& request = asked.request;
    if (!for_this_uri(credentials, request, uri)) return Answer{.status = 400, .reason = "Credentials For Another URI"};
    using Verdict = sip::Authenticator::Verdict;
    const Verdict verdict = authenticator_.verify(credentials, request.method(), *settings_.users,
                                                  neighbours_.site_text(asked.flow), now.wall);
    if (verdict == Verdict::good) return std::nullopt;
    if (verdict == Verdict::wrong) {
        out.log(LogLevel::problems, "wrong password for " + text::printable(credentials.username, 60) + " from " +
                                        to_string(asked.flow.remote));
    }
    return challenge(asked, status, user, realm, verdict == Verdict::stale, now);
}

Answer Admission::challenge(const JudgedRequest& asked, int status, std::string_view user, const std::string& realm,
                            bool stale, Now now) const {
    const char* field = status == 401 ? "WWW-Authenticate" : "Proxy-Authenticate";
    Answer answer{.status = status};
    const std::string salt = secrets_.random_hex();
    for (auto& value : authenticator_.challenge(realm, user, *settings_.users, neighbours_.site_text(asked.flow), salt,
                                                stale, now.wall)) {
        answer.fields.emplace_back(field, std::move(value));
    }
    // What is too long an answer for its question is not sent to who may be somebody else: of several ways to prove it
    // the last is left, which all phones know.
    if (answer.fields.size() > 1 && asked.asker.spoofable) {
        const auto whole = sip::make_response(asked.request, status, sip::reason_of(status),
                                              answers_.tag_of(asked.request), answer.fields);
        if (!sip::may_answer(asked.asker, whole.size()))
            answer.fields.erase(answer.fields.begin(), answer.fields.end() - 1);
    }
    return answer;
}

}  // namespace natkit::edge
