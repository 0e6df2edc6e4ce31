#include "natkit/nat/classify.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using nat::Place;
using nat::Rule;

namespace {

IpAddress ip(const char* text) {
    return IpAddress::parse(text).value();
}

std::optional<IpAddress> maybe_ip(const char* text) {
    return *text == '\0' ? std::nullopt : std::optional(ip(text));
}

RangeSet ranges(std::initializer_list<std::string_view> texts) {
    return RangeSet::parse(std::vector(texts)).value();
}

const nat::Networks networks = {
    .lan = ranges({"192.168.10.0/24", "fd00:10::/64"}),
    .nated = nat::default_nated(),
    .nat_servers = ranges({"203.0.113.64-203.0.113.79", "198.51.100.7"}),
};

}  // namespace

TEST_CASE("nat::classify: the first matching rule wins") {
    struct Case {
        const char* why;
        const char* received;
        const char* via;
        const char* contact;
        unsigned via_count;
        Place place;
        Rule rule;
    };
    constexpr Case cases[] = {
        {"public phone, honest headers", "203.0.113.9", "203.0.113.9", "203.0.113.9", 1, Place::wan, Rule::wan},
        {"private Contact, public source", "203.0.113.9", "203.0.113.9", "192.168.1.5", 1, Place::far_end, Rule::nated},
        {"private Via, public source", "203.0.113.9", "10.0.0.5", "203.0.113.9", 1, Place::far_end, Rule::nated},
        {"carrier-grade NAT address (RFC 6598)", "203.0.113.9", "100.64.3.4", "", 1, Place::far_end, Rule::nated},
        {"464XLAT: the phone's address inside its host (RFC 7335)", "203.0.113.9", "192.0.0.4", "192.0.0.4", 1,
         Place::far_end, Rule::nated},
        {"link-local, IPv4 (RFC 3927)", "203.0.113.9", "169.254.7.8", "", 1, Place::far_end, Rule::nated},
        {"link-local, IPv6", "2001:db8::9", "fe80::9", "", 1, Place::far_end, Rule::nated},
        {"names say nothing", "203.0.113.9", "", "", 1, Place::wan, Rule::wan},
        {"a proxy: the phone's private Contact is not the proxy's", "203.0.113.9", "203.0.113.9", "192.168.1.5", 2,
         Place::wan, Rule::wan},
        {"a proxy behind a NAT: its own Via counts", "203.0.113.9", "192.168.1.2", "192.168.1.5", 2, Place::far_end,
         Rule::nated},
        {"LAN phone", "192.168.10.20", "192.168.10.20", "192.168.10.20", 1, Place::lan, Rule::lan},
        {"LAN phone behind another private NAT: both private, one routed network", "192.168.10.20", "10.9.9.9",
         "10.9.9.9", 1, Place::lan, Rule::lan},
        {"private source that is not LAN", "10.1.2.3", "192.168.1.5", "192.168.1.5", 1, Place::wan, Rule::wan},
        {"known NAT server, headers repaired by an ALG", "198.51.100.7", "198.51.100.7", "198.51.100.7", 1,
         Place::far_end, Rule::nat_server},
        {"inside a NAT server range", "203.0.113.70", "203.0.113.70", "", 1, Place::far_end, Rule::nat_server},
        {"just outside the range", "203.0.113.80", "203.0.113.80", "", 1, Place::wan, Rule::wan},
        {"IPv6 LAN", "fd00:10::5", "fd00:10::5", "fd00:10::5", 1, Place::lan, Rule::lan},
        {"IPv6 unique local behind NPTv6", "2001:db8::9", "fd12::9", "", 1, Place::far_end, Rule::nated},
        {"same address, nated: not translated", "10.1.2.3", "10.1.2.3", "10.1.2.3", 1, Place::wan, Rule::wan},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const nat::Evidence seen = {.received = ip(c.received),
                                    .via = maybe_ip(c.via),
                                    .contact = maybe_ip(c.contact),
                                    .via_count = c.via_count};
        const nat::Verdict verdict = nat::classify(seen, networks);
        CHECK(verdict.place == c.place);
        CHECK(verdict.rule == c.rule);
    }
}

TEST_CASE("nat::why: the verdict in words") {
    const auto words = [](const char* received, const char* contact) {
        const nat::Evidence seen = {.received = ip(received), .via = {}, .contact = maybe_ip(contact)};
        return nat::why(nat::classify(seen, networks), ip(received));
    };
    CHECK(words("203.0.113.70", "203.0.113.70") == "203.0.113.70 is in nat_servers (203.0.113.64/28)");
    CHECK(words("198.51.100.99", "192.168.1.5") ==
          "it calls itself 192.168.1.5, an address in nated, and is seen as 198.51.100.99");
    CHECK(words("192.168.10.20", "192.168.10.20") == "192.168.10.20 is in lan");
    CHECK(words("198.51.100.99", "198.51.100.99") ==
          "198.51.100.99 is in no list, and nothing it says of itself is in nated");
}

TEST_CASE("nat::site_of: a multihomed NAT is one site") {
    CHECK(to_string(nat::site_of(ip("203.0.113.70"), networks)) == "203.0.113.64/28");
    CHECK(to_string(nat::site_of(ip("203.0.113.9"), networks)) == "203.0.113.9");
    CHECK(nat::same_site(ip("203.0.113.64"), ip("203.0.113.79"), networks));
    CHECK_FALSE(nat::same_site(ip("203.0.113.64"), ip("203.0.113.80"), networks));
    CHECK(nat::same_site(ip("203.0.113.9"), ip("203.0.113.9"), networks));
}

TEST_CASE("nat::media_place: a public party with a private SDP address is behind a NAT for its media") {
    const auto place = [&](const char* visible, const char* media) {
        return nat::media_place(nat::classify_address(ip(visible), networks).place, ip(visible), ip(media), networks);
    };
    CHECK(place("203.0.113.9", "203.0.113.9") == Place::wan);
    CHECK(place("203.0.113.9", "203.0.113.10") == Place::wan);
    CHECK(place("203.0.113.9", "10.0.0.9") == Place::far_end);
    CHECK(place("203.0.113.9", "192.168.10.9") == Place::far_end);
    CHECK(place("10.0.0.9", "10.0.0.9") == Place::wan);  // seen as it says: there is nothing between
    CHECK(place("10.0.0.9", "10.0.0.8") == Place::far_end);
    CHECK(place("192.168.10.9", "192.168.10.9") == Place::lan);
    CHECK(place("192.168.10.9", "10.0.0.9") == Place::lan);
}
