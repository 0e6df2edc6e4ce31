#include "natkit/relay/lan_guard.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace natkit;

TEST_CASE("relay::LanGuard: a LAN source is spoofed where it comes by an interface that is known not to be the LAN's") {
    const auto ip = [](const char* text) { return IpAddress::parse(text).value(); };
    const std::vector<HostAddress> host{
        {.interface = "lo", .index = 1, .address = ip("127.0.0.1"), .prefix = 8},
        {.interface = "lan0", .index = 2, .address = ip("192.168.10.1"), .prefix = 24},
        {.interface = "lan0", .index = 2, .address = ip("fe80::1"), .prefix = 64},
        {.interface = "wan0", .index = 3, .address = ip("203.0.113.10"), .prefix = 24},
    };
    RangeSet lan;
    lan.add(IpRange::parse("192.168.0.0/16").value());
    const relay::LanGuard guard(lan, host);
    struct Case {
        const char* why;
        const char* source;
        unsigned interface;
        bool spoofed;
    };
    constexpr Case cases[] = {
        {"a phone of the LAN", "192.168.10.5", 2, false},
        {"a phone of a routed LAN", "192.168.77.5", 2, false},
        {"its address by the WAN", "192.168.10.5", 3, true},
        {"a party of the WAN", "198.51.100.7", 3, false},
        {"a source of the WAN by the LAN", "198.51.100.7", 2, false},
        {"an interface that came since", "192.168.10.5", 9, false},
        {"a program of this host", "192.168.10.1", 1, false},
        {"no interface told", "192.168.10.5", 0, false},
    };
    for (const Case& each : cases) {
        CAPTURE(each.why);
        CHECK(guard.spoofed(ip(each.source), each.interface) == each.spoofed);
    }
}
