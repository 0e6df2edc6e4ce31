#include "natkit/nat/networks.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("nat::source_of: whom an address stands for where limits are counted") {
    struct Case {
        const char* why;
        const char* address;
        const char* source;
    };
    constexpr Case cases[] = {
        {"IPv4: itself", "203.0.113.9", "203.0.113.9"},
        {"IPv6: its /64", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"the last of it", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"},
        {"the next /64 is somebody else's", "2001:db8:1:3::1", "2001:db8:1:3::"},
        {"IPv4 in IPv6 is IPv4", "::ffff:203.0.113.9", "203.0.113.9"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(to_string(nat::source_of(IpAddress::parse(c.address).value())) == c.source);
    }
}
