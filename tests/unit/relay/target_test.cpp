#include "natkit/relay/target.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::relay;

TEST_CASE("relay::check_target: where nothing may be sent") {
    const auto address = [](const char* text) { return IpAddress::parse(text).value(); };
    const auto ranges = [](std::vector<std::string_view> texts) { return RangeSet::parse(texts).value(); };
    Surroundings around;
    around.networks = {
        .lan = ranges({"192.168.10.0/24", "fd00:10::/64"}), .nated = nat::default_nated(), .nat_servers = {}};
    around.own = {address("127.0.0.1"), address("192.168.10.1"), address("203.0.113.10"), address("2001:db8::10")};
    around.broadcasts = {address("192.168.10.255")};
    around.media = {address("192.168.10.1"), address("203.0.113.10")};
    Surroundings trial = around;
    trial.networks.lan = ranges({"127.0.0.0/8"});
    trial.media = {address("127.0.0.1")};

    using nat::Place;
    struct Case {
        const char* why;
        const char* target;
        Place place;
        Side side;
        const char* refused;  ///< null: fine
    };
    const Case cases[] = {
        {"a phone on the LAN", "192.168.10.5:4000", Place::lan, Side::lan, nullptr},
        {"a phone on the WAN", "198.51.100.7:4000", Place::wan, Side::wan, nullptr},
        {"IPv6", "[2001:db8::7]:4000", Place::wan, Side::wan, nullptr},
        {"loopback", "127.0.0.1:4000", Place::wan, Side::wan, "a loopback address"},
        {"loopback by IPv6", "[::1]:4000", Place::lan, Side::lan, "a loopback address"},
        {"loopback in IPv6 clothes", "[::ffff:127.0.0.1]:4000", Place::wan, Side::wan, "a loopback address"},
        {"unspecified: an old way to say hold", "0.0.0.0:4000", Place::lan, Side::lan, "the unspecified address"},
        {"unspecified IPv6", "[::]:4000", Place::wan, Side::wan, "the unspecified address"},
        {"multicast", "239.1.2.3:4000", Place::lan, Side::lan, "a multicast address"},
        {"broadcast", "255.255.255.255:4000", Place::lan, Side::lan, "a broadcast address"},
        {"the LAN's own broadcast", "192.168.10.255:4000", Place::lan, Side::lan, "a broadcast address"},
        {"link-local", "169.254.1.1:4000", Place::wan, Side::wan, "a link-local address"},
        {"the host's SIP port", "192.168.10.1:5060", Place::lan, Side::lan, "an address of this host"},
        {"a media port of ours", "203.0.113.10:20000", Place::wan, Side::wan, "a media port of this relay"},
        {"a stranger to the LAN", "192.168.10.5:4000", Place::wan, Side::wan, "in the LAN, and the party is not"},
        {"a stranger to the LAN, by the LAN side", "192.168.10.5:4000", Place::far_end, Side::lan,
         "in the LAN, and the party is not"},
        {"private by way of the WAN", "10.9.9.9:4000", Place::wan, Side::wan,
         "a private address, and the party is reached by way of the WAN"},
        {"private by way of the LAN side: a routed network", "10.9.9.9:4000", Place::lan, Side::lan, nullptr},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto checked = check_target(Endpoint::parse(c.target).value(), c.place, c.side, around);
        REQUIRE(checked.has_value() == (c.refused == nullptr));
        if (c.refused != nullptr) CHECK(checked.error().message.ends_with(std::string(": it is ") + c.refused));
    }
    CHECK(check_target(Endpoint::parse("127.0.0.1:4000").value(), Place::lan, Side::lan, trial).has_value());
    CHECK_FALSE(check_target(Endpoint::parse("127.0.0.1:20000").value(), Place::lan, Side::lan, trial).has_value());
}
