#include "natkit/engine/explain/facts.hpp"

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
