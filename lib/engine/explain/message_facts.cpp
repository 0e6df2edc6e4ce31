#include "natkit/engine/explain/message_facts.hpp"

#include <algorithm>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/input.hpp"

namespace natkit::explain {
namespace {

constexpr std::uint16_t sip_port = 5060;
constexpr std::uint16_t sips_port = 5061;

std::optional<IpAddress> contact_address(const MessageFacts& facts) {
    return facts.contact ? facts.contact->address() : std::nullopt;
}

/// "SIP/2.0/UDP host:port;…" read without regard to what a host may look like.
std::optional<sip::Via> lenient_via(std::string_view text) {
    const std::size_t blank = text.find_first_of(" \t");
    const std::size_t slash = text.substr(0, blank).rfind('/');
    if (blank == std::string_view::npos || slash == std::string_view::npos || !text::istarts_with(text, "SIP"))
        return std::nullopt;
    sip::Via via;
    for (const char c : text.substr(slash + 1, blank - slash - 1))
        via.transport += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    std::string_view sent_by = text::trim(text.substr(blank));
    sent_by = text::trim(sent_by.substr(0, sent_by.find(';')));
    if (const std::size_t colon = sent_by.rfind(':');
        colon != std::string_view::npos && sent_by.find(']', colon) == std::string_view::npos) {
        if (const auto port = text::parse_number(text::trim(sent_by.substr(colon + 1)), 65535))
            via.port = static_cast<std::uint16_t>(*port);
        sent_by = sent_by.substr(0, colon);
    }
    via.host = text::printable(text::trim(sent_by), 255);
    return via.host.empty() ? std::nullopt : std::optional(via);
}

/// The URI of a Contact, whatever its display name looks like.
std::optional<sip::Uri> contact_uri(std::string_view text) {
    std::string uri;
    if (const auto address = sip::NameAddr::parse(text)) {
        uri = address->uri;
    } else if (const std::size_t open = text.rfind('<'); open != std::string_view::npos) {
        uri = text.substr(open + 1, text.find('>', open) - open - 1);
    }
    auto parsed = sip::Uri::parse(uri);
    return parsed ? std::optional(*std::move(parsed)) : std::nullopt;
}

/// Collects evidence: which test fired, on what.
class Observer {
  public:
    Observer(const Arrival& arrival, const nat::Networks& networks, record::Nat& nat)
        : arrival_(arrival), networks_(networks), nat_(nat) {}

    void via(const sip::Via& via) {
        const auto address = via.address();
        const std::string sent_by = via.host + (via.port ? ":" + std::to_string(*via.port) : "");
        if (address && networks_.nated.contains(*address)) fired("Via", sent_by, "private-via");
        if (address && *address != arrival_.source.address) fired("Via", sent_by, "via-differs-from-source");
        // A TCP client connects from any port it likes: only over UDP does the port tell something.
        const std::uint16_t port = via.port.value_or(via.transport == "TLS" ? sips_port : sip_port);
        if (arrival_.transport == "udp" && port != arrival_.source.port) {
            fired("Via", sent_by, "source-port-differs-from-via");
        }
    }

    void contact(const sip::Uri& contact, const std::string& text) {
        const auto address = contact.address();
        if (!address) return;
        if (networks_.nated.contains(*address)) fired("Contact", text, "private-contact");
        if (*address != arrival_.source.address) fired("Contact", text, "contact-differs-from-source");
    }

    void source() {
        if (networks_.nated.contains(arrival_.source.address))
            fired("source", to_string(arrival_.source), "private-source");
    }

    void description(const sdp::Document& document) {
        if (document.media().empty() && document.session_connection())
            connection(document, *document.session_connection());
        std::optional<std::size_t> last;
        for (const sdp::Media& media : document.media()) {
            if (media.rejected() || !media.connection || media.connection->line == last) continue;
            last = media.connection->line;
            connection(document, *media.connection);
        }
    }

  private:
    void connection(const sdp::Document& document, const sdp::Field& field) {
        const auto address = document.address(field);
        const std::string value(document.text(field.address));
        if (!address) return fired("SDP c=", text::printable(value, 80), "sdp-names-host");  // RFC 8866 section 5.7
        if (address->is_unspecified()) return;
        if (networks_.nated.contains(*address)) fired("SDP c=", value, "private-sdp");
        if (*address != arrival_.source.address) fired("SDP c=", value, "sdp-differs-from-source");
    }

    void fired(const char* field, std::string value, const char* test) {
        nat_.evidence.push_back({.field = field, .value = std::move(value), .test = test});
    }

    const Arrival& arrival_;
    const nat::Networks& networks_;
    record::Nat& nat_;
};

}  // namespace

namespace {

const RangeSet& private_addresses() {
    static const RangeSet all = nat::default_nated();
    return all;
}

bool translated(std::string_view last_via) {
    const auto via = sip::Via::parse(last_via);
    const auto own = via ? via->address() : std::nullopt;
    const auto seen = via && via->received ? IpAddress::parse(*via->received) : Result<IpAddress>(IpAddress());
    return own && private_addresses().contains(*own) && via->received && seen && !private_addresses().contains(*seen);
}

bool two_faced(const MessageFacts& facts) {
    const auto own = contact_address(facts);
    if (!own || !private_addresses().contains(*own) || facts.descriptions.empty()) return false;
    const sdp::Document& document = facts.descriptions.front();
    return std::ranges::any_of(document.media(), [&](const sdp::Media& media) {
        const auto rtp = document.rtp_endpoint(media);
        return rtp && rtp->address.family() == own->family() && !rtp->address.is_unspecified() &&
               !private_addresses().contains(rtp->address);
    });
}

}  // namespace

MessageFacts read_facts(const sip::Message& message) {
    MessageFacts facts;
    const auto vias = message.values(sip::Name::via);
    facts.via_count = static_cast<unsigned>(vias.size());
    if (!vias.empty()) {
        auto via = sip::Via::parse(vias.front());
        facts.via = via ? std::optional(*std::move(via)) : lenient_via(vias.front());
        facts.maker_behind_nat = translated(vias.back());
    }
    facts.record_routes = static_cast<unsigned>(message.values(sip::Name::record_route).size());
    if (const auto contacts = message.values(sip::Name::contact); !contacts.empty()) {
        facts.contact_text = contacts.front();
        facts.contact = contact_uri(contacts.front());
    }
    facts.length_readable = message.find(sip::Name::content_length) == nullptr || message.declared_length().has_value();
    if (message.body().empty()) return facts;
    facts.bodies = sdp::find_descriptions(message.value(sip::Name::content_type), message.body());
    for (const sdp::Span& span : facts.bodies.descriptions) {
        if (auto document = sdp::Document::parse(message.body().substr(span.offset, span.length))) {
            facts.descriptions.push_back(*std::move(document));
        }
    }
    facts.writer_behind_nat = two_faced(facts);
    return facts;
}

bool contact_is_senders(const sip::Message& message, const MessageFacts& facts) {
    if (message.is_request()) return facts.via_count == 1;
    const bool redirect = message.status() >= 300 && message.status() < 400;
    const auto& cseq = message.cseq();
    return !redirect && facts.record_routes == 0 && cseq && cseq->method != "REGISTER";
}

record::Nat describe(const sip::Message& message, const MessageFacts& facts, const Arrival& arrival,
                     const nat::Networks& networks) {
    record::Nat nat{.verdict = nat::classify_address(arrival.source.address, networks),
                    .received = arrival.source.address,
                    .evidence = {},
                    .nat_uac_test = {},
                    .alg = {}};
    nat::Evidence seen{.received = arrival.source.address, .via = {}, .contact = {}, .via_count = facts.via_count};
    Observer observer(arrival, networks, nat);
    const bool own_contact = contact_is_senders(message, facts);
    if (message.is_request()) {
        if (facts.via) {
            seen.via = facts.via->address();
            observer.via(*facts.via);
        }
        seen.contact = contact_address(facts);
        nat.nat_uac_test = nat_uac_test(facts, arrival);
    } else if (own_contact) {  // the Vias of a response are those of the request: they say nothing about who answers
        seen.via_count = 1;
        seen.contact = contact_address(facts);
    }
    if (facts.contact && own_contact) observer.contact(*facts.contact, facts.contact_text);
    for (const sdp::Document& document : facts.descriptions) observer.description(document);
    observer.source();
    nat.verdict = nat::classify(seen, networks);
    nat.alg = alg_evidence(message, facts, arrival, networks);
    return nat;
}

record::Nat describe(const sdp::Document& document, const Endpoint& source, const nat::Networks& networks) {
    const Arrival arrival{.source = source};
    record::Nat nat{.verdict = {}, .received = source.address, .evidence = {}, .nat_uac_test = {}, .alg = {}};
    Observer observer(arrival, networks, nat);
    observer.description(document);
    observer.source();
    nat::Evidence seen{.received = source.address, .via = {}, .contact = {}, .via_count = 1};
    for (const sdp::Media& media : document.media()) {
        if (const auto rtp = document.rtp_endpoint(media); rtp && !rtp->address.is_unspecified() && !seen.contact)
            seen.contact = rtp->address;
    }
    nat.verdict = nat::classify(seen, networks);
    return nat;
}

std::optional<Endpoint> source_of_via(const MessageFacts& facts) {
    if (!facts.via || !facts.via->received) return std::nullopt;
    const auto address = IpAddress::parse(*facts.via->received);
    if (!address) return std::nullopt;
    return Endpoint{.address = *address, .port = facts.via->rport.value_or(facts.via->port.value_or(5060))};
}

/// Space after the start line is RFC 4475 section 3.1.2.10, NUL in quoted text section 3.1.1.2.
Result<sip::Message> parse_leniently(const std::string& bytes) {
    const auto read = [](std::string text) { return sip::Message::parse(std::move(text), sip::Controls::blanked); };
    auto message = read(bytes);
    if (message) return message;
    std::string lenient = bytes;
    if (const std::size_t feed = lenient.find('\n'); feed != std::string::npos) {
        const std::size_t end = lenient.find_last_not_of(" \t\r", feed - (feed > 0 ? 1 : 0));
        if (end != std::string::npos && end < feed) lenient.erase(end + 1, feed - end - 1);
        if (starts_message("X" +
                           lenient.substr(std::min(lenient.find(' '), feed)))) {  // a method of impossible letters
            for (std::size_t i = 0; i < lenient.find(' '); ++i) {
                if (lenient[i] <= ' ' || lenient[i] >= 0x7f) lenient[i] = '_';
            }
        }
    }
    if (auto whole = read(lenient)) return whole;
    const bool has_end = lenient.find("\n\r\n") != std::string::npos || lenient.find("\n\n") != std::string::npos;
    if (has_end || lenient.find('\n') == std::string::npos) return message;
    if (auto whole = read(lenient + (lenient.ends_with('\n') ? "\r\n" : "\r\n\r\n"))) return whole;
    if (auto lines = read(lenient.substr(0, lenient.rfind('\n') + 1) + "\r\n")) return lines;
    return message;
}

Result<void> report_control(const sip::Message& message) {
    const auto& control = message.control();
    if (!control || control->escaped) return {};
    return fail(Errc::bad_input, to_string(*control) + " in the header section: a proxy must refuse this message",
                "line " + std::to_string(control->line));
}

}  // namespace natkit::explain
