#include <algorithm>

#include "edge.hpp"
#include "natkit/base/text.hpp"

namespace natkit::edge {
namespace {

/// RFC 3261 section 20.10: "0.5", "1.0", "1" as thousandths; a bad value counts as 1.
int q_of(const sip::Params& params) {
    const auto q = params.get("q");
    if (!q || q->empty() || q->front() == '1') return 1000;
    std::string digits = q->size() > 2 && (*q)[1] == '.' ? std::string(q->substr(2, 3)) : std::string("0");
    digits.resize(3, '0');
    return static_cast<int>(text::parse_number(digits, 999).value_or(1000));
}

std::optional<std::chrono::seconds> seconds_of(std::optional<std::string_view> digits) {
    if (!digits) return std::nullopt;
    const auto number = text::parse_number(*digits, 0xffffffff);
    if (!number) return std::nullopt;
    return std::chrono::seconds(static_cast<std::int64_t>(*number));
}

Result<sip::Registration> read_registration(const sip::Message& request) {
    sip::Registration registration;
    const auto expires = request.find(sip::Name::expires) == nullptr
                             ? std::nullopt
                             : seconds_of(text::trim(request.value(sip::Name::expires)));
    for (const std::string_view value : request.values(sip::Name::contact)) {
        const auto contact = sip::NameAddr::parse(value);
        if (!contact) return std::unexpected(contact.error());
        if (contact->uri == "*") {
            if (expires != std::chrono::seconds(0)) return fail(Errc::bad_input, "Contact * needs Expires 0");
            registration.remove_all = true;
            continue;
        }
        const auto uri = sip::Uri::parse(contact->uri);
        if (!uri || (uri->scheme != "sip" && uri->scheme != "sips")) return fail(Errc::bad_input, "unreadable Contact");
        const auto own = seconds_of(contact->params.get("expires"));
        std::string instance(contact->params.get("+sip.instance").value_or(""));
        registration.contacts.push_back({.uri = contact->uri,
                                         .expires = own ? own : expires,
                                         .q = q_of(contact->params),
                                         .instance = std::move(instance)});
    }
    if (registration.remove_all && !registration.contacts.empty()) {
        return fail(Errc::bad_input, "Contact * stands alone");
    }
    const auto& cseq = request.cseq();
    registration.cseq = cseq ? cseq->number : 0;
    registration.call_id = request.call_id();
    registration.user_agent = text::printable(request.value(sip::Name::user_agent), 80);
    return registration;
}

}  // namespace

/// False: it was answered.
bool Edge::may_register(const sip::RequestEvent& event, const Upstream& from, const sip::Uri& user,
                        sip::Registration& registration, Now now, Output& out) {
    const sip::Message& request = event.message;
    const auto refuse = [&](const std::string& why) {
        out.log(LogLevel::problems, "REGISTER of " + text::printable(user.user, 60) + " from " +
                                        to_string(event.flow.remote) + " refused: " + why);
        reject(event.server, request, 403, {}, now, out);
        return false;
    };
    if (settings_.open_registrar) return true;
    if (settings_.users == nullptr) {
        if (from.sender != proxy::Sender::lan) return refuse("only LAN clients may register");
        // Nobody proves anything here: at least nobody can have the calls of others sent somewhere else.
        for (const sip::ContactRequest& contact : registration.contacts) {
            const auto uri = sip::Uri::parse(contact.uri);
            if (!uri || uri->address() != event.flow.remote.address) return refuse("a Contact that is not its own");
        }
        if (registration.remove_all) {  // all that are its own
            registration.remove_all = false;
            for (const sip::Binding& binding : registrar_.lookup(settings_.address_of_record(user), now.wall)) {
                if (binding.flow.remote.address != event.flow.remote.address) continue;
                registration.contacts.push_back(
                    {.uri = binding.contact, .expires = std::chrono::seconds(0), .q = 1000, .instance = {}});
            }
        }
        return true;
    }
    const std::string domain =
        user.address() && !settings_.domains.empty() ? settings_.domains.front() : text::lower(user.host);
    const std::string realm = settings_.users->realm_of(domain);
    const auto credentials = own_credentials(request, sip::Name::authorization, realm);
    if (credentials && !for_this_uri(*credentials, request, std::string(request.request_uri()))) {
        reject(event.server, request, 400, "Credentials For Another URI", now, out);
        return false;
    }
    using Verdict = sip::Authenticator::Verdict;
    const Verdict verdict = credentials ? authenticator_.verify(*credentials, request.method(), *settings_.users,
                                                                site_text(event.flow), now.wall)
                                        : Verdict::wrong;
    if (verdict != Verdict::good) {
        if (credentials && verdict == Verdict::wrong) {
            out.log(LogLevel::problems, "wrong password for " + text::printable(credentials->username, 60) + " from " +
                                            to_string(event.flow.remote));
        }
        challenge(event, 401, user.user, realm, verdict == Verdict::stale, now, out);
        return false;
    }
    if (!settings_.is_name_of(user, credentials->username)) {
        return refuse("it has the password of " + text::printable(credentials->username, 60));
    }
    registration.authenticated = true;
    if (event.flow.transport == sip::Transport::udp) proven_.note(event.flow.remote, now.steady);
    return true;
}

void Edge::on_register(const sip::RequestEvent& event, const Upstream& from, Now now, Output& out) {
    if (has_extensions(event, sip::Name::require, now, out)) return;
    const sip::Message& request = event.message;
    const auto& to = request.to();
    const auto uri = sip::Uri::parse(to->uri);
    if (!uri || !settings_.is_own(*uri) || uri->user.empty()) return reject(event.server, request, 404, {}, now, out);
    auto registration = read_registration(request);
    if (!registration) return reject(event.server, request, 400, registration.error().message, now, out);
    if (!may_register(event, from, *uri, *registration, now, out)) return;
    registration->aor = settings_.address_of_record(*uri);
    registration->flow = event.flow;
    registration->party = from.party;
    registration->reached = registration->authenticated || event.flow.transport != sip::Transport::udp;
    auto outcome = registrar_.register_contacts(*registration, now.wall);
    if (outcome.status == 423) {
        const std::string least = std::to_string(registrar_.limits().min_expires.count());
        return reject(event.server, request, 423, {}, now, out, {{"Min-Expires", least}});
    }
    if (outcome.status != 200) return reject(event.server, request, outcome.status, {}, now, out);
    apply(std::move(outcome.changes), now, out);
    std::vector<std::pair<std::string, std::string>> contacts;
    const auto bindings = registrar_.lookup(registration->aor, now.wall);
    for (const sip::Binding& binding : bindings) {
        // A client finds its own lifetime by its Contact, which one behind another NAT may have as well.
        const bool own = binding.flow == event.flow;
        const bool again = std::ranges::any_of(bindings, [&](const sip::Binding& other) {
            return other.contact == binding.contact && other.flow == event.flow;
        });
        if (again && !own) continue;
        const auto left = std::chrono::ceil<std::chrono::seconds>(binding.expires - now.wall);
        contacts.emplace_back("Contact", "<" + binding.contact + ">;expires=" + std::to_string(left.count()));
    }
    reject(event.server, request, 200, {}, now, out, contacts);
}

void Edge::apply(std::vector<sip::BindingChange> changes, Now now, Output& out) {
    for (sip::BindingChange& change : changes) {
        const char* what = change.kind == sip::BindingChange::Kind::added ? "registered" : "gone";
        if (change.kind != sip::BindingChange::Kind::updated) {
            out.log(LogLevel::major, "client " + text::printable(change.binding.aor, 80) + " " + what + " at " +
                                         to_string(change.binding.flow.remote) + ", " +
                                         nat::to_string(change.binding.party.place) + " by rule " +
                                         nat::to_string(change.binding.party.rule));
        }
        if (change.kind != sip::BindingChange::Kind::removed) media_.follow(change.binding);
        if (change.kind != sip::BindingChange::Kind::removed) look_for(change.binding, now, out);
        if (change.kind == sip::BindingChange::Kind::removed) placed_.erase(change.binding.id);
        out.events.emplace_back(std::move(change));
    }
}

}  // namespace natkit::edge
