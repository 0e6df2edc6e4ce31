#include <array>

#include "natkit/engine/explain/message_facts.hpp"

namespace natkit::explain {
namespace {

enum Test : unsigned {
    private_contact = 1,
    via_differs = 2,
    private_via = 4,
    private_sdp = 8,
    port_differs = 16,
    private_source = 32,
    websocket = 64,
    contact_port_differs = 128,
    sdp_differs = 256,
};

/// nathelper's compiled-in table: RFC 1918, RFC 6598 and RFC 7335; IPv4 alone.
bool is_private(const std::optional<IpAddress>& address) {
    if (!address || !address->is_v4()) return false;
    const auto bytes = address->bytes();
    return bytes[0] == 10 || (bytes[0] == 172 && bytes[1] >= 16 && bytes[1] <= 31) ||
           (bytes[0] == 192 && bytes[1] == 168) || (bytes[0] == 100 && bytes[1] >= 64 && bytes[1] <= 127) ||
           (bytes[0] == 192 && bytes[1] == 0 && bytes[2] == 0 && bytes[3] < 8);
}

/// It leaves a description at the first stream that is not IPv4 or is 0.0.0.0, and reads none without m= lines.
bool has_private_stream(const sdp::Document& document) {
    for (const sdp::Media& media : document.media()) {
        if (!media.connection) return false;
        const auto address = document.address(*media.connection);
        if (document.text(media.connection->family) != "IP4" || (address && address->is_unspecified())) return false;
        if (is_private(address)) return true;
    }
    return false;
}

}  // namespace

unsigned nat_uac_test(const MessageFacts& facts, const Arrival& arrival) {
    const Endpoint& source = arrival.source;
    unsigned number = 0;
    if (facts.contact && is_private(facts.contact->address())) number |= private_contact;
    if (facts.via) {
        const auto address = facts.via->address();
        if (!address || *address != source.address) number |= via_differs;
        if (is_private(address)) number |= private_via;
        if (facts.via->port.value_or(5060) != source.port) number |= port_differs;
        if (facts.via->transport == "WS" || facts.via->transport == "WSS") number |= websocket;
    }
    if (is_private(source.address)) number |= private_source;
    if (facts.contact && facts.contact->port.value_or(5060) != source.port) number |= contact_port_differs;
    for (const sdp::Document& document : facts.descriptions) {
        if (facts.length_readable && document.text().starts_with("v=") && has_private_stream(document))
            number |= private_sdp;
        if (!document.session_connection()) continue;
        const auto session = document.address(*document.session_connection());
        if (session && *session != source.address) number |= sdp_differs;
    }
    return number;
}

}  // namespace natkit::explain
