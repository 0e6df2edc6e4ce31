#include <string>

#include "natkit/base/text.hpp"
#include "natkit/engine/explain/message_facts.hpp"

namespace natkit::explain {
namespace {

/// One place in a message where a client writes its own address.
struct Mark {
    const char* field;
    std::string value;
    IpAddress address;
};

std::vector<Mark> marks_of(const MessageFacts& facts, const std::optional<IpAddress>& own_via) {
    std::vector<Mark> marks;
    const auto add = [&](const char* field, const std::optional<IpAddress>& address) {
        if (address && !address->is_unspecified())
            marks.push_back({.field = field, .value = to_string(*address), .address = *address});
    };
    add("Via", own_via);
    if (facts.contact) add("Contact", facts.contact->address());
    if (!facts.descriptions.empty()) {
        const sdp::Document& document = facts.descriptions.front();
        if (document.origin()) add("SDP o=", document.address(*document.origin()));
        for (const sdp::Media& media : document.media()) {
            if (media.rejected() || !media.connection) continue;
            add("SDP c=", document.address(*media.connection));
            break;
        }
    }
    return marks;
}

const Mark* find(const std::vector<Mark>& marks, std::string_view field) {
    for (const Mark& mark : marks) {
        if (field == mark.field) return &mark;
    }
    return nullptr;
}

/// A gateway that changes a body and forgets its length, or the other way round.
void compare_length(const sip::Message& message, std::vector<record::Evidence>& evidence) {
    const auto declared = message.declared_length();
    const std::size_t actual = message.body().size() + message.rest().size();
    if (!declared || *declared == actual) return;
    if (message.body().empty() && message.rest().empty() && *declared == 0) return;
    if (*declared < actual && text::trim(message.rest()).empty()) return;  // CRLF after the body: harmless
    evidence.push_back({.field = "Content-Length",
                        .value = std::to_string(*declared) + ", the body has " + std::to_string(actual) + " bytes",
                        .test = "content-length-differs-from-body"});
}

/// Of the places in one description where a client tells its own address, some show the one the packet came from and
/// one is still private. ICE candidates are private with good reason.
void compare_streams(const MessageFacts& facts, const IpAddress& source, const nat::Networks& networks,
                     std::vector<record::Evidence>& evidence) {
    if (facts.descriptions.empty()) return;
    const sdp::Document& document = facts.descriptions.front();
    bool shown = false;
    std::optional<record::Evidence> left;
    const auto look_at = [&](const char* field, const std::optional<IpAddress>& address) {
        if (!address) return;
        shown = shown || *address == source;
        if (networks.nated.contains(*address) && !left)
            left = {.field = field, .value = to_string(*address), .test = "streams-differ"};
    };
    for (const sdp::Media& media : document.media()) {
        if (media.rejected()) continue;
        if (media.connection) look_at("SDP c=", document.address(*media.connection));
        if (media.rtcp && !media.ice) look_at("SDP a=rtcp", document.address(*media.rtcp));
    }
    if (shown && left) {
        left->value += ", beside " + to_string(source);
        evidence.push_back(*std::move(left));
    }
}

}  // namespace

std::vector<record::Evidence> alg_evidence(const sip::Message& message, const MessageFacts& facts,
                                           const Arrival& arrival, const nat::Networks& networks) {
    std::vector<record::Evidence> evidence;
    if (arrival.transport == "udp" && !arrival.cut && !facts.bodies.descriptions.empty())
        compare_length(message, evidence);
    // Only what comes from a client itself tells something: a proxy may rewrite what it likes.
    if (!contact_is_senders(message, facts) || networks.nated.contains(arrival.source.address)) return evidence;
    compare_streams(facts, arrival.source.address, networks, evidence);
    const auto own_via = message.is_request() ? facts.via ? facts.via->address() : std::nullopt : arrival.own_via;
    const std::vector<Mark> marks = marks_of(facts, own_via);
    unsigned public_marks = 0;  // that show the address the packet came from
    unsigned private_marks = 0;
    const Mark* last_private = nullptr;
    for (const Mark& mark : marks) {
        if (mark.address == arrival.source.address) ++public_marks;
        if (!networks.nated.contains(mark.address)) continue;
        ++private_marks;
        last_private = &mark;
    }
    // A client that learned its public address by STUN writes it into Contact and SDP, and leaves its Via alone;
    // gateways change the Via first, or no response would come back.
    const Mark* via = find(marks, "Via");
    if (via == nullptr || via->address != arrival.source.address || private_marks == 0) return evidence;
    const Mark* origin = find(marks, "SDP o=");
    const Mark* connection = find(marks, "SDP c=");
    if (origin != nullptr && connection != nullptr && networks.nated.contains(origin->address) &&
        connection->address == arrival.source.address) {
        evidence.push_back({.field = "SDP o=",
                            .value = origin->value + ", but c= " + connection->value,
                            .test = "origin-differs-from-connection"});
    }
    const Mark* contact = find(marks, "Contact");
    if (contact != nullptr && networks.nated.contains(contact->address)) {
        evidence.push_back({.field = "Contact",
                            .value = contact->value + ", but Via " + via->value,
                            .test = "contact-differs-from-via"});
    }
    if (private_marks == 1 && public_marks >= 2) {
        evidence.push_back(
            {.field = last_private->field, .value = last_private->value, .test = "private-address-left-over"});
    }
    return evidence;
}

}  // namespace natkit::explain
