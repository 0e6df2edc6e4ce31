#include "natkit/nat/decide.hpp"

#include <doctest/doctest.h>

#include "places.hpp"

using namespace natkit;
using nat::Place;
using nat::Reason;
using nat::SameNat;

namespace {

const nat::Networks networks = {
    .lan = RangeSet({IpRange::parse("192.168.10.0/24").value()}),
    .nated = nat::default_nated(),
    .nat_servers = RangeSet({IpRange::parse("203.0.113.64-203.0.113.79").value()}),
};

struct Side {
    Place place;
    const char* visible;
    Family family = Family::ipv4;
};

nat::Whereabouts where(const Side& side) {
    return {.place = side.place, .visible = IpAddress::parse(side.visible).value(), .family = side.family};
}

constexpr Side lan = {Place::lan, "192.168.10.20"};
constexpr Side lan_other = {Place::lan, "192.168.10.21"};
constexpr Side wan = {Place::wan, "203.0.113.9"};
constexpr Side wan_other = {Place::wan, "203.0.113.10"};
constexpr Side wan_v6 = {Place::wan, "2001:db8::9", Family::ipv6};
constexpr Side nat_a = {Place::far_end, "198.51.100.1"};
constexpr Side nat_b = {Place::far_end, "198.51.100.2"};
constexpr Side site_1 = {Place::far_end, "203.0.113.64"};
constexpr Side site_2 = {Place::far_end, "203.0.113.79"};

}  // namespace

TEST_CASE("nat::decide: when a media proxy is built, and why") {
    struct Case {
        const char* why;
        Side a, b;
        SameNat same_nat;
        bool asked_for;
        bool relay;
        std::vector<Reason> reasons;
    };
    const Case cases[] = {
        {"LAN to LAN", lan, lan_other, SameNat::never, false, false, {Reason::same_side_direct}},
        {"WAN to WAN", wan, wan_other, SameNat::never, false, false, {Reason::same_side_direct}},
        {"LAN to WAN", lan, wan, SameNat::never, false, true, {Reason::lan_and_other}},
        {"LAN to far end", lan, nat_a, SameNat::never, false, true, {Reason::lan_and_other, Reason::far_end_nat}},
        {"WAN to far end", wan, nat_a, SameNat::never, false, true, {Reason::far_end_nat}},
        {"two NATs", nat_a, nat_b, SameNat::never, false, true, {Reason::far_end_nat}},
        {"same NAT, never", nat_a, nat_a, SameNat::never, false, false, {Reason::same_nat_direct}},
        {"same NAT, always", nat_a, nat_a, SameNat::always, false, true, {Reason::same_nat}},
        {"same NAT, not a configured site", nat_a, nat_a, SameNat::nat_sites, false, false, {Reason::same_nat_direct}},
        {"same site, multihomed", site_1, site_2, SameNat::never, false, false, {Reason::same_nat_direct}},
        {"same site, relayed by policy", site_1, site_2, SameNat::nat_sites, false, true, {Reason::same_nat}},
        {"IPv4 to IPv6", wan, wan_v6, SameNat::never, false, true, {Reason::families_differ}},
        {"asked for", wan, wan_other, SameNat::never, true, true, {Reason::asked_for}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const nat::Decision want{.relay = c.relay, .reasons = c.reasons};
        nat::Policy policy{.same_nat = c.same_nat};
        if (c.asked_for) policy.relay_for.ranges.add(IpRange::parse(c.b.visible).value());
        CHECK(nat::decide(where(c.a), where(c.b), policy, networks) == want);
        CHECK(nat::decide(where(c.b), where(c.a), policy, networks) == want);
        if (!c.asked_for) continue;
        nat::Whereabouts named = where(c.a);  // by its domain
        named.asked_for = true;
        CHECK(nat::decide(named, where(c.b), {}, networks) == want);
        CHECK(nat::decide(where(c.b), named, {}, networks) == want);
    }
}

TEST_CASE("nat::RelayFor: domains in any case, whole") {
    const nat::RelayFor relay_for{.ranges = {}, .domains = {"conf.example.com"}};
    CHECK(relay_for.names("Conf.Example.com"));
    CHECK_FALSE(relay_for.names("example.com"));
    CHECK_FALSE(relay_for.names("a.conf.example.com"));
    CHECK_FALSE(relay_for.names(""));
}

TEST_CASE("nat::whereabouts: the table that every program is held to") {
    for (const nat::test::PlaceCase& c : nat::test::place_cases) {
        CAPTURE(c.why);
        const auto media = IpAddress::parse(c.media).value();
        const nat::Whereabouts party = nat::whereabouts(c.place, IpAddress::parse(c.visible).value(),
                                                        media.is_unspecified() ? std::nullopt : std::optional(media),
                                                        nat::test::networks_of_places());
        CHECK(party.place == c.want);
        CHECK(party.family == c.family);
    }
}

TEST_CASE("nat::whereabouts: each stream has the family of its own address, and a place by it") {
    const IpAddress visible = IpAddress::parse("203.0.113.9").value();
    const auto known = [&](const char* media) {
        return nat::whereabouts(Place::wan, visible, IpAddress::parse(media).value(), networks);
    };
    CHECK(nat::whereabouts(Place::wan, visible, std::nullopt, networks).place == Place::wan);
    CHECK(nat::whereabouts(Place::wan, visible, std::nullopt, networks).family == Family::ipv4);
    CHECK(known("2001:db8::9").family == Family::ipv6);
    CHECK(known("2001:db8::9").place == Place::wan);
    CHECK(known("192.168.1.10").place == Place::far_end);
    CHECK(known("192.168.1.10").visible == visible);
}
