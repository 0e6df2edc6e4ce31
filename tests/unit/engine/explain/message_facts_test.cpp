#include "natkit/engine/explain/message_facts.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::explain;

namespace {

record::Nat describe_request(const std::string& via, const std::string& contact, const std::string& sdp,
                             const char* source, const std::string& transport = "udp", const std::string& more = {}) {
    const std::string bytes = "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP " + via + ";branch=z9hG4bK1\r\n" +
                              more + (contact.empty() ? "" : "Contact: <sip:a@" + contact + ">\r\n") +
                              "Content-Type: application/sdp\r\nContent-Length: " + std::to_string(sdp.size()) +
                              "\r\n\r\n" + sdp;
    const auto message = sip::Message::parse(bytes);
    REQUIRE(message);
    const nat::Networks networks{.lan = {}, .nated = nat::default_nated(), .nat_servers = {}};
    return describe(*message, read_facts(*message), {.transport = transport, .source = *Endpoint::parse(source)},
                    networks);
}

std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& word : words) all += (all.empty() ? "" : " ") + word;
    return all;
}

std::string offer(const char* origin, const char* connection) {
    return std::string("v=0\r\no=- 1 1 IN IP4 ") + origin + "\r\ns=-\r\nc=IN IP4 " + connection +
           "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
}

}  // namespace

TEST_CASE("explain::describe: named tests, without the peers' defects") {
    struct Case {
        const char* why;
        const char* via;
        const char* contact;
        const char* sdp;
        const char* source;
        const char* transport;
        const char* tests;
    };
    constexpr Case cases[] = {
        {"an honest phone", "203.0.113.9", "203.0.113.9", "203.0.113.9", "203.0.113.9:5060", "udp", ""},
        {"behind a NAT", "192.168.1.5", "192.168.1.5", "192.168.1.5", "198.51.100.7:4001", "udp",
         "private-via via-differs-from-source source-port-differs-from-via private-contact contact-differs-from-source "
         "private-sdp sdp-differs-from-source"},
        {"TCP clients connect from any port", "203.0.113.9", "203.0.113.9", "203.0.113.9", "203.0.113.9:40000", "tcp",
         ""},
        {"a name is not another address", "phone.example.com", "phone.example.com", "203.0.113.9", "203.0.113.9:5060",
         "udp", ""},
        {"a hold is not another address", "203.0.113.9", "203.0.113.9", "0.0.0.0", "203.0.113.9:5060", "udp", ""},
        {"private source", "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1:5060", "udp",
         "private-via private-contact private-sdp private-source"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(joined(describe_request(c.via, c.contact, offer(c.sdp, c.sdp), c.source, c.transport).tests()) ==
              c.tests);
    }
    const auto behind_proxy = describe_request("203.0.113.5", "192.168.1.5", "", "203.0.113.5:5060", "udp",
                                               "Via: SIP/2.0/UDP 192.168.1.5\r\n");
    CHECK(behind_proxy.verdict.place == nat::Place::wan);  // the Contact is somebody else's
    CHECK(behind_proxy.tests().empty());
}

TEST_CASE("explain::alg_evidence: contradictions of a gateway, not of a client that uses STUN") {
    struct Case {
        const char* why;
        const char* via;
        const char* contact;
        const char* origin;
        const char* connection;
        const char* tests;
    };
    const char* source = "198.51.100.7:4001";
    constexpr Case cases[] = {
        {"nothing changed", "192.168.1.5", "192.168.1.5", "192.168.1.5", "192.168.1.5", ""},
        {"everything changed", "198.51.100.7", "198.51.100.7", "198.51.100.7", "198.51.100.7", ""},
        {"STUN: all but the Via", "192.168.1.5", "198.51.100.7", "198.51.100.7", "198.51.100.7", ""},
        {"o= was forgotten", "198.51.100.7", "198.51.100.7", "192.168.1.5", "198.51.100.7",
         "origin-differs-from-connection private-address-left-over"},
        {"the Contact was forgotten", "198.51.100.7", "192.168.1.5", "198.51.100.7", "198.51.100.7",
         "contact-differs-from-via private-address-left-over"},
        {"Via alone was changed", "198.51.100.7", "192.168.1.5", "192.168.1.5", "192.168.1.5",
         "contact-differs-from-via"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        std::vector<std::string> tests;
        for (const record::Evidence& one :
             describe_request(c.via, c.contact, offer(c.origin, c.connection), source).alg)
            tests.push_back(one.test);
        CHECK(joined(tests) == c.tests);
    }
}

TEST_CASE("explain::alg_evidence: of responses, what the same flow wrote into its own Via counts") {
    const auto tests_of = [](const std::string& contact, const std::string& sdp, std::optional<IpAddress> own_via,
                             bool cut = false, std::size_t length = 0) {
        const std::string bytes =
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK1\r\nCSeq: 1 INVITE\r\n"
            "Contact: <sip:b@" +
            contact + ">\r\nContent-Type: application/sdp\r\nContent-Length: " +
            std::to_string(length == 0 ? sdp.size() : length) + "\r\n\r\n" + sdp;
        const auto message = sip::Message::parse(bytes);
        REQUIRE(message);
        const nat::Networks networks{.lan = {}, .nated = nat::default_nated(), .nat_servers = {}};
        const Arrival arrival{.source = *Endpoint::parse("198.51.100.7:4001"), .cut = cut, .own_via = own_via};
        std::vector<std::string> tests;
        for (const record::Evidence& one : alg_evidence(*message, read_facts(*message), arrival, networks))
            tests.push_back(one.test);
        return joined(tests);
    };
    const IpAddress shown = *IpAddress::parse("198.51.100.7");
    const IpAddress hidden = *IpAddress::parse("192.168.1.5");
    const std::string half = offer("192.168.1.5", "198.51.100.7");
    CHECK(tests_of("192.168.1.5", half, shown) == "origin-differs-from-connection contact-differs-from-via");
    CHECK(tests_of("198.51.100.7", half, shown) == "origin-differs-from-connection private-address-left-over");
    CHECK(tests_of("198.51.100.7", half, hidden).empty());        // it uses STUN
    CHECK(tests_of("198.51.100.7", half, std::nullopt).empty());  // nobody knows
    const std::string streams =
        offer("198.51.100.7", "198.51.100.7") + "m=video 4002 RTP/AVP 31\r\nc=IN IP4 192.168.1.5\r\n";
    CHECK(tests_of("198.51.100.7", streams, std::nullopt) == "streams-differ");
    const std::string rtcp = offer("198.51.100.7", "198.51.100.7") + "a=rtcp:4001 IN IP4 192.168.1.5\r\n";
    CHECK(tests_of("198.51.100.7", rtcp, std::nullopt) == "streams-differ");
    CHECK(tests_of("198.51.100.7", rtcp + "a=ice-ufrag:x\r\n", std::nullopt).empty());  // the host's, of ICE
    const std::string honest = offer("198.51.100.7", "198.51.100.7");
    CHECK(tests_of("198.51.100.7", honest, shown, false, 999) == "content-length-differs-from-body");
    CHECK(tests_of("198.51.100.7", honest, shown, true, 999).empty());  // the capture lacks the rest
}

TEST_CASE("explain::describe: a bare description and where it came from") {
    struct Case {
        const char* why;
        const char* address;
        const char* source;
        nat::Place place;
        const char* tests;
    };
    constexpr Case cases[] = {
        {"its own address", "203.0.113.9", "203.0.113.9:5060", nat::Place::wan, ""},
        {"a private one", "192.168.1.5", "198.51.100.7:4001", nat::Place::far_end,
         "private-sdp sdp-differs-from-source"},
        {"somebody else's, a relay's perhaps", "203.0.113.10", "203.0.113.9:5060", nat::Place::wan,
         "sdp-differs-from-source"},
        {"hold", "0.0.0.0", "203.0.113.9:5060", nat::Place::wan, ""},
    };
    const nat::Networks networks{.lan = {}, .nated = nat::default_nated(), .nat_servers = {}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const record::Nat nat =
            describe(*sdp::Document::parse(offer(c.address, c.address)), *Endpoint::parse(c.source), networks);
        CHECK(nat.verdict.place == c.place);
        CHECK(joined(nat.tests()) == c.tests);
    }
}

TEST_CASE("explain::read_facts: a proxy tells that who made a request is behind a NAT") {
    struct Case {
        const char* why;
        const char* vias;
        bool behind;
    };
    constexpr Case cases[] = {
        {"a private Via that came from outside",
         "Via: SIP/2.0/UDP 203.0.113.5\r\nVia: SIP/2.0/UDP 10.0.1.21:5060;received=198.51.100.7;rport=4001\r\n", true},
        {"no proxy has said so", "Via: SIP/2.0/UDP 203.0.113.5\r\nVia: SIP/2.0/UDP 10.0.1.21:5060;rport\r\n", false},
        {"in the proxy's own network",
         "Via: SIP/2.0/UDP 203.0.113.5\r\nVia: SIP/2.0/UDP 10.0.1.21:5060;received=10.0.1.22\r\n", false},
        {"public, and another address",
         "Via: SIP/2.0/UDP 203.0.113.5\r\nVia: SIP/2.0/UDP 203.0.113.9;received=198.51.100.7\r\n", false},
        {"a proxy behind a NAT", "Via: SIP/2.0/UDP 10.0.1.21;received=198.51.100.7\r\nVia: SIP/2.0/UDP 203.0.113.9\r\n",
         false},
        {"no address", "Via: SIP/2.0/UDP 203.0.113.5\r\nVia: SIP/2.0/UDP 10.0.1.21;received=x\r\n", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto message =
            sip::Message::parse("INVITE sip:b@x SIP/2.0\r\n" + std::string(c.vias) + "Content-Length: 0\r\n\r\n");
        REQUIRE(message);
        CHECK(read_facts(*message).maker_behind_nat == c.behind);
    }
}

TEST_CASE("explain::read_facts: a private Contact beside public media tells of a NAT") {
    struct Case {
        const char* contact;
        const char* media;
        bool behind;
    };
    constexpr Case cases[] = {{"10.0.1.21", "198.51.100.7", true},
                              {"10.0.1.21", "10.0.1.21", false},
                              {"203.0.113.9", "198.51.100.7", false},
                              {"phone.example.com", "198.51.100.7", false},
                              {"10.0.1.21", "0.0.0.0", false}};
    for (const Case& c : cases) {
        CAPTURE(c.contact);
        CAPTURE(c.media);
        const std::string body = offer(c.media, c.media);
        const auto message = sip::Message::parse(
            "SIP/2.0 200 OK\r\nContact: <sip:b@" + std::string(c.contact) +
            ">\r\nContent-Type: application/sdp\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        REQUIRE(message);
        CHECK(read_facts(*message).writer_behind_nat == c.behind);
    }
}
