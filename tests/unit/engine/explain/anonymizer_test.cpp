#include "natkit/engine/explain/anonymize/anonymizer.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "natkit/nat/networks.hpp"

using namespace natkit;
using namespace natkit::explain;

namespace {

IpAddress ip(const std::string& text) {
    return *IpAddress::parse(text);
}

bool in(const char* range, const IpAddress& address) {
    return IpRange::parse(range)->contains(address);
}

}  // namespace

TEST_CASE("explain::AddressMask: private stays private, public becomes documentation, neighbours stay neighbours") {
    struct Case {
        const char* address;
        const char* range;  ///< where its mask lies
    };
    const Case cases[] = {
        {"10.1.2.3", "10.0.0.0/8"},
        {"172.20.1.1", "172.16.0.0/12"},
        {"192.168.178.20", "192.168.0.0/16"},
        {"100.99.1.1", "100.64.0.0/10"},
        {"169.254.7.7", "169.254.0.0/16"},
        {"8.8.8.8", "203.0.113.0/24"},
        {"8.8.8.9", "203.0.113.0/24"},
        {"9.9.9.9", "198.51.100.0/24"},
        {"1.1.1.1", "192.0.2.0/24"},
        {"4.4.4.4", "198.18.0.0/15"},
        {"172.32.0.1", "198.18.0.0/15"},
        {"2a01:4f8:1::1", "2001:db8::/32"},
        {"fd12:3456:789a::1", "fd00::/8"},
        {"fe80::1234:5678", "fe80::/10"},
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"224.0.1.75", "224.0.1.75"},
        {"255.255.255.255", "255.255.255.255"},
        {"::1", "::1"},
    };
    AddressMask mask;
    std::set<IpAddress> made;
    for (const Case& c : cases) {
        CAPTURE(c.address);
        const IpAddress masked = mask.mask(ip(c.address));
        CHECK(in(c.range, masked));
        CHECK(mask.mask(ip(c.address)) == masked);
        CHECK(made.insert(masked).second);
        CHECK(nat::default_nated().contains(ip(c.address)) == nat::default_nated().contains(masked));
    }
    const auto bytes = [&](const char* address, std::size_t count) {
        const IpAddress masked = mask.mask(ip(address));
        return std::vector<std::uint8_t>(masked.bytes().begin(),
                                         masked.bytes().begin() + static_cast<std::ptrdiff_t>(count));
    };
    CHECK(bytes("10.1.2.3", 3) == bytes("10.1.2.99", 3));
    CHECK(bytes("10.1.2.3", 2) == bytes("10.1.7.3", 2));
    CHECK(bytes("10.1.2.3", 3) != bytes("10.1.7.3", 3));
    CHECK(bytes("2a01:4f8:1::1", 8) == bytes("2a01:4f8:1::2", 8));
    CHECK(bytes("2a01:4f8:1:5::1", 6) == bytes("2a01:4f8:1::1", 6));
    CHECK(bytes("2a01:4f8:1:5::1", 8) != bytes("2a01:4f8:1::1", 8));
    // Bit by bit in the last octet: a range of a NAT stays one.
    CHECK((bytes("8.8.8.64", 4)[3] & 0xf0U) == (bytes("8.8.8.79", 4)[3] & 0xf0U));
}

TEST_CASE("explain::AddressMask: bounded") {
    AddressMask mask;
    for (std::uint32_t i = 0; i < 100'000; ++i) {
        const IpAddress masked = mask.mask(IpAddress::v4(0x01000000 + i * 256));
        CHECK_FALSE(nat::default_nated().contains(masked));
    }
}

TEST_CASE("explain::Anonymizer: names, numbers, hosts and addresses, wherever they stand") {
    Anonymizer names;
    const std::string a = names.host("198.51.99.7");
    const std::string b = names.host("192.168.1.5");
    names.learn(
        "INVITE sip:+4930123456@sip.firm.test SIP/2.0\r\n"
        "Via: SIP/2.0/UDP pc33.firm.test:5060;branch=z9hG4bK1;received=198.51.99.7\r\n"
        "From: \"Alice Smith\" <sip:alice:secret@firm.test>;tag=1\r\nTo: Bob <sip:200@firm.test>\r\n\r\n");
    struct Case {
        const char* why;
        std::string text;
        std::string want;
    };
    const std::vector<Case> cases = {
        {"a sentence with endpoints", "The callee at 198.51.99.7 is told to send to 192.168.1.5:10022.",
         "The callee at " + a + " is told to send to " + b + ":10022."},
        {"a user of letters stands alone", "alice hears nothing", "user2 hears nothing"},
        {"a host name stands alone", "PC33.firm.test does not resolve", "host2.example does not resolve"},
        {"a telephone number stands alone", "call to +4930123456.", "call to +5555555551."},
        {"a short number is a user only where it stands as one", "200 packets to sip:200@firm.test",
         "200 packets to sip:" + names.user("200") + "@host3.example"},
        {"one without a scheme", "200@firm.test", names.user("200") + "@host3.example"},
        {"rules of a style sheet", "@media print { }", "@media print { }"},
        {"a display name in quotes", "\"Alice Smith\" <sip:alice@firm.test>", "\"Name 1\" <sip:user2@host3.example>"},
        {"one without", "To: Bob <sip:x@firm.test>", "To: Name 2 <sip:" + names.user("x") + "@host3.example>"},
        {"escaped for HTML", "&quot;Alice Smith&quot; &lt;sip:alice@firm.test&gt;",
         "&quot;Name 1&quot; &lt;sip:user2@host3.example&gt;"},
        {"a Call-ID's host", "Call-ID: 3848@192.168.1.5", "Call-ID: 3848@" + b},
        {"digest", "Digest username=\"alice\", realm=\"firm.test\", nonce=\"abc\"",
         "Digest username=\"user2\", realm=\"host3.example\", nonce=\"abc\""},
        {"a session description", "v=0\r\no=alice 1 1 IN IP4 192.168.1.5\r\ns=Alice's talk\r\nc=IN IP4 192.168.1.5\r\n",
         "v=0\r\no=user2 1 1 IN IP4 " + b + "\r\ns=-\r\nc=IN IP4 " + b + "\r\n"},
        {"a subject", "INVITE x\r\nSubject: the merger\r\nCSeq: 1 INVITE", "INVITE x\r\nSubject: -\r\nCSeq: 1 INVITE"},
        {"a tel URI", "<tel:+4930123456;phone-context=x>", "<tel:+5555555551;phone-context=x>"},
        {"times and versions stay", "at 22:13:20.5 natkit 0.1.0, port 5060, 48 % of 1234567 bytes",
         "at 22:13:20.5 natkit 0.1.0, port 5060, 48 % of 1234567 bytes"},
        {"a word that only contains a name", "malice and alicex", "malice and alicex"},
        {"nothing", "", ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(names.text(c.text) == c.want);
    }
    CHECK(names.text("sip:anonymous@anonymous.invalid") == "sip:anonymous@anonymous.invalid");
    const std::string masked = names.text("[2a01:4f8::7]:5060 2a01:4f8::7");
    CHECK(masked.starts_with("[2001:db8:"));
    CHECK(masked.find("2a01") == std::string::npos);
    const std::string range = names.text("192.168.1.64/26 192.168.1.70");
    const auto space = range.find(' ');
    CHECK(IpRange::parse(range.substr(0, space))->contains(ip(range.substr(space + 1))));
}

TEST_CASE("explain::Anonymizer: records keep their form") {
    Anonymizer names;
    CHECK(names.record("{\"type\":\"sip\",\"frame\":200,\"source\":\"8.8.8.8:5060\",\"message_base64\":\"AAAA\","
                       "\"streams\":[{\"to\":\"8.8.8.8:4000\"}],\"message\":\"From: <sip:carol@8.8.8.8>\\r\\n\"}\n") ==
          "{\"type\":\"sip\",\"frame\":200,\"source\":\"" + names.host("8.8.8.8") + ":5060\",\"streams\":[{\"to\":\"" +
              names.host("8.8.8.8") + ":4000\"}],\"message\":\"From: <sip:user1@" + names.host("8.8.8.8") +
              ">\\r\\n\"}\n");
    CHECK(names.record("not JSON, of carol\n") == "not JSON, of user1\n");
}

TEST_CASE("explain::Anonymizer: any bytes") {
    Anonymizer names;
    std::uint64_t state = 1;
    const std::string alphabet = "sip:@<>\"&;.0123456789abcdef:/ \r\no=tel-ltquo\xff";
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        for (int i = 0; i < 60; ++i) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            text += alphabet[(state >> 33) % alphabet.size()];
        }
        CHECK(names.text(text).size() < 4000);
    }
}
