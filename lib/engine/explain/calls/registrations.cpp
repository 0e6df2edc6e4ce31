#include "natkit/engine/explain/registrations.hpp"

#include "natkit/base/text.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t longest_record = 300;
constexpr std::uint32_t usual_expires = 3600;  // RFC 3261 section 10.2

/// Of the first Contact, else of Expires.
std::optional<std::uint32_t> expires_of(const sip::Message& message) {
    constexpr std::uint64_t most = 0xffffffff;
    if (const auto contacts = message.values(sip::Name::contact); !contacts.empty()) {
        const auto contact = sip::NameAddr::parse(contacts.front());
        const auto own = contact ? contact->params.get("expires") : std::nullopt;
        if (const auto value = own ? text::parse_number(*own, most) : std::nullopt)
            return static_cast<std::uint32_t>(*value);
    }
    const auto value = text::parse_number(message.value(sip::Name::expires), most);
    return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
}

}  // namespace

std::string address_of_record(const Result<sip::NameAddr>& address) {
    const auto uri = address ? sip::Uri::parse(address->uri) : sip::Uri::parse("");
    if (!uri) return {};
    std::string all = uri->user.empty() ? uri->host : uri->user + "@" + uri->host;
    if (all.size() > longest_record) all.resize(longest_record);
    return text::lower(all);
}

std::optional<Endpoint> endpoint_of(const std::optional<sip::Uri>& uri) {
    const auto address = uri ? uri->address() : std::nullopt;
    if (!address) return std::nullopt;
    return Endpoint{.address = *address, .port = uri->port.value_or(uri->scheme == "sips" ? 5061 : 5060)};
}

void Registrations::on_message(const sip::Message& message, const MessageFacts& facts, const Endpoint& source,
                               std::uint64_t frame, std::int64_t time_ns) {
    const auto& cseq = message.cseq();
    if (!cseq || cseq->method != "REGISTER") return;
    const std::string user = address_of_record(message.to());
    if (user.empty()) return;
    Known& known = users_.touch(user);
    if (!message.is_request()) return on_response(known, message, frame, time_ns);
    known.credentials =
        message.find(sip::Name::authorization) != nullptr || message.find(sip::Name::proxy_authorization) != nullptr;
    if (facts.contact_text.empty()) return;  // it only asks
    known.asked = expires_of(message).value_or(usual_expires);
    known.remove = known.asked == 0 || facts.contact_text == "*";
    known.contact = endpoint_of(facts.contact);
    known.source = source;
}

void Registrations::on_response(Known& known, const sip::Message& message, std::uint64_t frame, std::int64_t time_ns) {
    using State = diagnose::Registration::State;
    const int status = message.status();
    if (status < 200) return;
    diagnose::Registration now{.frame = frame, .time_ns = time_ns, .contact = known.contact, .source = known.source};
    if (status < 300) {
        now.state = known.remove ? State::removed : State::registered;
        now.expires = known.remove ? 0 : expires_of(message).value_or(known.asked);
    } else {
        const bool first_challenge = (status == 401 || status == 407) && !known.credentials;
        if (first_challenge || status == 423) return;  // the client tries again (RFC 3261 section 10.2.8)
        if (known.last && known.last->state == State::registered) return;  // what was registered stays
        now.state = State::refused;
        now.status = status;
        now.credentials = known.credentials;
    }
    known.last = now;
}

std::optional<diagnose::Registration> Registrations::of(const std::string& user, std::int64_t now_ns) const {
    const Known* known = users_.find(user);
    if (known == nullptr || !known->last) return std::nullopt;
    diagnose::Registration last = *known->last;
    const bool over = now_ns > last.time_ns + std::int64_t{last.expires} * diagnose::second_ns;
    if (last.state == diagnose::Registration::State::registered && over)
        last.state = diagnose::Registration::State::expired;
    return last;
}

}  // namespace natkit::explain
