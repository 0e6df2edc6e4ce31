#include "registrations.hpp"

#include <algorithm>

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

/// Without passwords nobody proves anything here: at least nobody can have the calls of others sent somewhere else.
std::optional<Answer> Registrations::may_register_unproved(const JudgedRequest& asked, const sip::Uri& user,
                                                           sip::Registration& registration, Now now,
                                                           Output& out) const {
    const IpAddress& source = asked.flow.remote.address;
    const auto refused = [&](const std::string& why) {
        out.log(LogLevel::problems, "REGISTER of " + text::printable(user.user, 60) + " from " +
                                        to_string(asked.flow.remote) + " refused: " + why);
        return Answer{.status = 403};
    };
    if (asked.upstream.sender != proxy::Sender::lan) return refused("only LAN clients may register");
    for (const sip::ContactRequest& contact : registration.contacts) {
        const auto uri = sip::Uri::parse(contact.uri);
        if (!uri || uri->address() != source) return refused("a Contact that is not its own");
    }
    if (!registration.remove_all) return std::nullopt;
    registration.remove_all = false;  // all that are its own
    const std::string aor = settings_.address_of_record(user);
    const auto end_own = [&](const sip::Binding& binding) {
        if (binding.flow.remote.address != source) return;
        registration.contacts.push_back(
            {.uri = binding.contact, .expires = std::chrono::seconds(0), .q = 1000, .instance = {}});
    };
    std::ranges::for_each(registrar_.lookup(aor, now.wall), end_own);
    std::ranges::for_each(peers_.clients().lookup(aor, now.wall), end_own, &ForeignClient::binding);
    return std::nullopt;
}

std::optional<Answer> Registrations::may_register(const JudgedRequest& asked, const sip::Uri& user,
                                                  sip::Registration& registration, Now now, Output& out) {
    if (settings_.open_registrar) return std::nullopt;
    if (settings_.users == nullptr) return may_register_unproved(asked, user, registration, now, out);
    if (auto refused = admission_.prove_registration(asked, user, now, out)) return refused;
    registration.authenticated = true;
    return std::nullopt;
}

/// A client finds its own lifetime by its Contact, which one behind another NAT may have as well.
Fields Registrations::contacts_of(const std::string& aor, const sip::Flow& asker, WallTime now) const {
    Fields contacts;
    const auto bindings = registrar_.lookup(aor, now);
    for (const sip::Binding& binding : bindings) {
        const bool own = binding.flow == asker;
        const bool again = std::ranges::any_of(bindings, [&](const sip::Binding& other) {
            return other.contact == binding.contact && other.flow == asker;
        });
        if (again && !own) continue;
        const auto left = std::chrono::ceil<std::chrono::seconds>(binding.expires - now);
        contacts.emplace_back("Contact", "<" + binding.contact + ">;expires=" + std::to_string(left.count()));
    }
    for (const ForeignClient& client : peers_.clients().lookup(aor, now)) {
        const bool again = std::ranges::any_of(bindings, [&](const sip::Binding& own) {
            return own.contact == client.binding.contact && own.flow == asker;
        });
        if (again) continue;
        const auto left = std::chrono::ceil<std::chrono::seconds>(client.binding.expires - now);
        contacts.emplace_back("Contact", "<" + client.binding.contact + ">;expires=" + std::to_string(left.count()));
    }
    return contacts;
}

void Registrations::on_register(const JudgedRequest& asked, Now now, Output& out) {
    const sip::Message& request = asked.request;
    const auto answer = [&](const Answer& with) { answers_.answer(asked.server, request, with, now, out); };
    if (const auto unknown = unsupported(request, sip::Name::require)) return answer(*unknown);
    const auto& to = request.to();
    const auto uri = sip::Uri::parse(to->uri);
    if (!uri || !settings_.is_own(*uri) || uri->user.empty()) return answer({.status = 404});
    auto registration = read_registration(request);
    if (!registration) return answer({.status = 400, .reason = registration.error().message});
    if (const auto refused = may_register(asked, *uri, *registration, now, out)) return answer(*refused);
    registration->aor = settings_.address_of_record(*uri);
    registration->flow = asked.flow;
    registration->verdict = asked.upstream.verdict;
    registration->reached = registration->authenticated || asked.flow.transport != sip::Transport::udp;
    auto outcome = registrar_.register_contacts(*registration, now.wall);
    if (outcome.status == 423) {
        const std::string least = std::to_string(registrar_.limits().min_expires.count());
        return answer({.status = 423, .fields = {{"Min-Expires", least}}});
    }
    if (outcome.status != 200) return answer({.status = outcome.status});
    apply(std::move(outcome.changes), now, out);
    answer({.status = 200, .fields = contacts_of(registration->aor, asked.flow, now.wall)});
}

void Registrations::apply(std::vector<sip::BindingChange> changes, Now now, Output& out) {
    for (sip::BindingChange& change : changes) {
        const char* what = change.kind == sip::BindingChange::Kind::added ? "registered" : "gone";
        if (change.kind != sip::BindingChange::Kind::updated) {
            out.log(LogLevel::major, "client " + text::printable(change.binding.aor, 80) + " " + what + " at " +
                                         to_string(change.binding.flow.remote) + ", " +
                                         nat::to_string(change.binding.verdict.place) + " by rule " +
                                         nat::to_string(change.binding.verdict.rule));
        }
        const bool removed = change.kind == sip::BindingChange::Kind::removed;
        // Ours now, or nobody's.
        if (!removed || change.elsewhere) peers_.clients().forget(change.binding.id);
        if (removed) {
            home_.forget(change.binding.id);
        } else {
            media_.follow(change.binding);
            look_for(change.binding, now, out);
        }
        out.events.emplace_back(std::move(change));
    }
}

}  // namespace natkit::edge
