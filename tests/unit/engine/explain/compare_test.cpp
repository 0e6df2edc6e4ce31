#include "natkit/engine/explain/compare.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::explain;

namespace {

std::vector<PeerVerdict> compare(const char* method, const char* via, const char* contact, const char* connection,
                                 const char* source) {
    const std::string sdp = std::string("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 ") + connection +
                            "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    const std::string bytes = std::string(method) + " sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/" + via +
                              ";branch=z9hG4bK1\r\nContact: <sip:a@" + contact +
                              ">\r\nContent-Type: application/sdp\r\nContent-Length: " + std::to_string(sdp.size()) +
                              "\r\n\r\n" + sdp;
    const auto message = sip::Message::parse(bytes);
    REQUIRE(message);
    return compare_peers(method, read_facts(*message), {.source = *Endpoint::parse(source)});
}

}  // namespace

TEST_CASE("explain::compare_peers: what the sources of Kamailio, OpenSIPS and FreeSWITCH say") {
    struct Case {
        const char* why;
        const char* method;
        const char* via;
        const char* contact;
        const char* connection;
        const char* source;
        unsigned kamailio, opensips;
        const char* freeswitch;  ///< the test that fires, "" for not behind a NAT
    };
    constexpr Case cases[] = {
        {"an honest phone", "INVITE", "UDP 203.0.113.9", "203.0.113.9", "203.0.113.9", "203.0.113.9:5060", 0, 0, ""},
        {"behind a NAT", "INVITE", "UDP 192.168.1.5", "192.168.1.5", "192.168.1.5", "198.51.100.7:4001",
         1 + 2 + 4 + 8 + 16 + 128 + 256, 1 + 2 + 4 + 8 + 16 + 32 + 64, "via-in-nat-acl"},
        {"FreeSWITCH looks at the Via of an INVITE, not at its Contact", "INVITE", "UDP 198.51.100.7", "192.168.1.5",
         "198.51.100.7", "198.51.100.7:5060", 1, 1 + 32, ""},
        {"and at the Contact of a REGISTER, wherever it comes from", "REGISTER", "UDP 192.168.1.5", "192.168.1.5",
         "192.168.1.5", "192.168.1.5:5060", 1 + 4 + 8 + 32, 1 + 4 + 8, "contact-in-nat-acl"},
        {"and at nothing else", "OPTIONS", "UDP 192.168.1.5", "192.168.1.5", "192.168.1.5", "198.51.100.7:5060",
         1 + 2 + 4 + 8 + 256, 1 + 2 + 4 + 8 + 32, ""},
        {"WebSocket", "INVITE", "WS 203.0.113.9", "203.0.113.9", "203.0.113.9", "203.0.113.9:5060", 64, 0, "websocket"},
        {"DS-Lite: OpenSIPS wants to be asked", "INVITE", "UDP 192.0.0.2", "192.0.0.2", "192.0.0.2", "192.0.0.2:5060",
         1 + 4 + 8 + 32, 128, ""},
        {"the loopback is private to OpenSIPS alone", "INVITE", "UDP 127.0.0.1", "127.0.0.1", "127.0.0.1",
         "127.0.0.1:5060", 0, 1 + 4 + 8, ""},
        {"a hold is no private address", "INVITE", "UDP 203.0.113.9", "203.0.113.9", "0.0.0.0", "203.0.113.9:5060", 256,
         0, ""},
    };
    for (const Case& one : cases) {
        CAPTURE(one.why);
        const auto said = compare(one.method, one.via, one.contact, one.connection, one.source);
        REQUIRE(said.size() == 3);
        CHECK(said[0].number == one.kamailio);
        CHECK(said[1].number == one.opensips);
        CHECK(said[1].behind_nat == ((one.opensips & 23U) != 0));
        CHECK(said[2].behind_nat == (*one.freeswitch != 0));
        CHECK((said[2].tests.empty() ? "" : said[2].tests.front()) == one.freeswitch);
    }
}
