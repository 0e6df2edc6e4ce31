#include "natkit/sip/message/grammar.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::sip;

TEST_CASE("Uri::parse: scheme, user, host, port, parameters") {
    struct Case {
        const char* why;
        const char* text;
        bool good;
        const char* user;
        const char* host;
        int port;
    };
    constexpr Case cases[] = {
        {"plain", "sip:bob@example.com", true, "bob", "example.com", 0},
        {"port and parameters", "sip:bob@203.0.113.9:5070;transport=tcp;lr", true, "bob", "203.0.113.9", 5070},
        {"no user", "sip:example.com", true, "", "example.com", 0},
        {"IPv6", "sip:bob@[2001:db8::9]:5060", true, "bob", "[2001:db8::9]", 5060},
        {"needless escapes are resolved (RFC 3261 19.1.4)", "sip:%62ob@example.com", true, "bob", "example.com", 0},
        {"bad port", "sip:bob@example.com:99999", false, "", "", 0},
        {"nothing", "", false, "", "", 0},
        {"not a URI", "<<<>", false, "", "", 0},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto uri = Uri::parse(c.text);
        REQUIRE(uri.has_value() == c.good);
        if (!uri) continue;
        CHECK(uri->user == c.user);
        CHECK(uri->host == c.host);
        CHECK(uri->port.value_or(0) == c.port);
    }
    CHECK(Uri::parse("sip:h;lr;transport=tcp")->params.get("TRANSPORT") == "tcp");
    CHECK(Uri::parse("sip:[2001:db8::9]")->address() == IpAddress::parse("2001:db8::9").value());
}

TEST_CASE("NameAddr::parse: the URI as written, parameters of the field only") {
    const auto contact = NameAddr::parse("\"Bob <x>\" <sip:bob@192.168.1.5:5060;ob>;expires=60;q=0.5").value();
    CHECK(contact.uri == "sip:bob@192.168.1.5:5060;ob");
    CHECK(contact.params.get("expires") == "60");
    CHECK_FALSE(contact.params.has("ob"));
    const auto bare = NameAddr::parse("sip:bob@example.com;tag=7").value();
    CHECK(bare.uri == "sip:bob@example.com");
    CHECK(bare.params.get("tag") == "7");
    CHECK(NameAddr::parse("*")->uri == "*");
    CHECK(NameAddr::parse(" , <sip:a> ;tag=1 , ")->params.get("tag") == "1");
    CHECK_FALSE(NameAddr::parse("<sip:a>, <sip:b>").has_value());
    CHECK_FALSE(NameAddr::parse("<sip:a> b").has_value());
    CHECK_FALSE(NameAddr::parse("<sip:a").has_value());
    CHECK_FALSE(NameAddr::parse(" , ").has_value());
    CHECK_FALSE(NameAddr::parse("").has_value());
}

TEST_CASE("Via::parse: forms seen in the wild") {
    const auto via =
        Via::parse("SIP / 2.0 / udp [2001:db8::9]:5061 ;rport=4000;received=203.0.113.9;branch=z9hG4bKx").value();
    CHECK(via.transport == "UDP");
    CHECK(via.address() == IpAddress::parse("2001:db8::9").value());
    CHECK(via.port == 5061);
    CHECK(via.rport == 4000);
    CHECK(via.received == "203.0.113.9");
    CHECK_FALSE(Via::parse("SIP/2.0/UDP").has_value());
    CHECK_FALSE(Via::parse("SIP/2.0/UDP h:99999").has_value());
}

TEST_CASE("CSeq::parse: number and any method token") {
    CHECK(CSeq::parse("4711 INVITE")->number == 4711);
    CHECK(CSeq::parse("1 !interesting-Method0123456789_*+`.%indeed'~")->method.starts_with("!inter"));  // RFC 4475
    CHECK_FALSE(CSeq::parse("INVITE").has_value());
    CHECK_FALSE(CSeq::parse("99999999999 INVITE").has_value());
}

TEST_CASE("split_values: commas inside quotes and angle brackets do not count") {
    CHECK(split_values("a, b ,c").size() == 3);
    CHECK(split_values("\"a,\\\"b\" <sip:x,y>, c").size() == 2);
    CHECK(split_values(" , ,").empty());
}

TEST_CASE("with_param: one parameter changes, the rest stays byte for byte") {
    struct Case {
        const char* why;
        const char* text;
        const char* name;
        std::optional<std::string_view> value;
        const char* want;
    };
    const Case cases[] = {
        {"added", "SIP/2.0/UDP h;branch=1", "received", "203.0.113.9", "SIP/2.0/UDP h;branch=1;received=203.0.113.9"},
        {"filled in", "SIP/2.0/UDP h;rport;branch=1", "rport", "4000", "SIP/2.0/UDP h;rport=4000;branch=1"},
        {"replaced, spaces kept elsewhere", "SIP/2.0/UDP h ; RPort = 1 ;branch=1", "rport", "2",
         "SIP/2.0/UDP h ;rport=2;branch=1"},
        {"removed", "<sip:a;lr>;tag=1;x=\"a;tag=2\"", "tag", std::nullopt, "<sip:a;lr>;x=\"a;tag=2\""},
        {"inside the URI is not ours", "<sip:a;expires=1>", "expires", "60", "<sip:a;expires=1>;expires=60"},
        {"nothing to remove", "<sip:a>", "tag", std::nullopt, "<sip:a>"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(with_param(c.text, c.name, c.value) == c.want);
    }
}
