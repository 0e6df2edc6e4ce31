#include "natkit/base/ip.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("IpAddress::parse: what is an address, and its canonical text") {
    struct Case {
        const char* why;
        const char* text;
        const char* want;  ///< null: refused
    };
    constexpr Case cases[] = {
        {"dotted quad", "203.0.113.9", "203.0.113.9"},
        {"unspecified", "0.0.0.0", "0.0.0.0"},
        {"octet too large", "203.0.113.256", nullptr},
        {"leading zero is ambiguous", "203.0.113.09", nullptr},
        {"too short", "203.0.113", nullptr},
        {"too long", "203.0.113.9.1", nullptr},
        {"trailing space", "203.0.113.9 ", nullptr},
        {"name", "example.com", nullptr},
        {"empty", "", nullptr},
        {"IPv4 in brackets", "[203.0.113.9]", nullptr},
        {"IPv6 with gap", "2001:DB8::1", "2001:db8::1"},
        {"IPv6 in brackets", "[2001:db8::1]", "2001:db8::1"},
        {"IPv6 in full", "2001:0db8:0:0:0:0:0:0001", "2001:db8::1"},
        {"loopback", "::1", "::1"},
        {"unspecified IPv6", "::", "::"},
        {"gap at the end", "fe80::", "fe80::"},
        {"RFC 5952 4.2.2: one zero group is not shortened", "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"RFC 5952 4.2.3: the first of equal runs", "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"mapped IPv4 is IPv4", "::ffff:203.0.113.9", "203.0.113.9"},
        {"embedded IPv4", "64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"two gaps", "1::2::3", nullptr},
        {"nine groups", "1:2:3:4:5:6:7:8:9", nullptr},
        {"seven groups", "1:2:3:4:5:6:7", nullptr},
        {"eight groups and a gap", "1:2:3:4::5:6:7:8", nullptr},
        {"zone", "fe80::1%eth0", nullptr},
        {"group too long", "12345::", nullptr},
        {"three colons", ":::", nullptr},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto address = IpAddress::parse(c.text);
        REQUIRE(address.has_value() == (c.want != nullptr));
        if (address) CHECK(to_string(*address) == c.want);
    }
}

TEST_CASE("IpAddress: kinds of address") {
    struct Case {
        const char* text;
        bool loopback, multicast, link_local;
    };
    constexpr Case cases[] = {
        {"127.0.0.53", true, false, false}, {"::1", true, false, false},          {"224.0.0.251", false, true, false},
        {"ff02::1", false, true, false},    {"169.254.3.4", false, false, true},  {"fe80::1", false, false, true},
        {"8.8.8.8", false, false, false},   {"2001:db8::1", false, false, false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        const IpAddress address = *IpAddress::parse(c.text);
        CHECK(address.is_loopback() == c.loopback);
        CHECK(address.is_multicast() == c.multicast);
        CHECK(address.is_link_local() == c.link_local);
    }
}

TEST_CASE("IpRange::parse: single, CIDR, first-last") {
    struct Case {
        const char* why;
        const char* text;
        const char* first;  ///< null: refused
        const char* last;
        const char* shown;
    };
    constexpr Case cases[] = {
        {"single", "198.51.100.7", "198.51.100.7", "198.51.100.7", "198.51.100.7"},
        {"network", "10.0.0.0/8", "10.0.0.0", "10.255.255.255", "10.0.0.0/8"},
        {"host bits are dropped", "10.1.2.3/8", "10.0.0.0", "10.255.255.255", "10.0.0.0/8"},
        {"everything", "0.0.0.0/0", "0.0.0.0", "255.255.255.255", "0.0.0.0/0"},
        {"range that is a network", "203.0.113.64-203.0.113.79", "203.0.113.64", "203.0.113.79", "203.0.113.64/28"},
        {"range that is none", "203.0.113.64 - 203.0.113.70", "203.0.113.64", "203.0.113.70",
         "203.0.113.64-203.0.113.70"},
        {"IPv6 network", "fd00:10::/64", "fd00:10::", "fd00:10::ffff:ffff:ffff:ffff", "fd00:10::/64"},
        {"backwards", "10.0.0.2-10.0.0.1", nullptr, nullptr, nullptr},
        {"mixed families", "10.0.0.1-2001:db8::1", nullptr, nullptr, nullptr},
        {"prefix too long", "10.0.0.0/33", nullptr, nullptr, nullptr},
        {"no prefix", "10.0.0.0/", nullptr, nullptr, nullptr},
        {"name", "lan", nullptr, nullptr, nullptr},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto range = IpRange::parse(c.text);
        REQUIRE(range.has_value() == (c.first != nullptr));
        if (!range) continue;
        CHECK(to_string(range->first()) == c.first);
        CHECK(to_string(range->last()) == c.last);
        CHECK(to_string(*range) == c.shown);
    }
}

TEST_CASE("RangeSet: the first range that holds an address, never across families") {
    const std::string_view texts[] = {"10.0.0.0/8", "10.1.0.0/16", "fc00::/7"};
    const RangeSet set = *RangeSet::parse(texts);
    CHECK(to_string(*set.find(*IpAddress::parse("10.1.2.3"))) == "10.0.0.0/8");
    CHECK(set.contains(*IpAddress::parse("fd00::1")));
    CHECK_FALSE(set.contains(*IpAddress::parse("11.0.0.0")));
    CHECK_FALSE(set.contains(*IpAddress::parse("::a00:1")));
}
