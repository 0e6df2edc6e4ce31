#include "natkit/base/endpoint.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("Endpoint::parse: address and port, with and without a default") {
    struct Case {
        const char* why;
        const char* text;
        std::uint16_t default_port;
        const char* want;  ///< null: refused
    };
    constexpr Case cases[] = {
        {"IPv4", "203.0.113.9:5060", 0, "203.0.113.9:5060"},
        {"IPv6", "[2001:db8::1]:5060", 0, "[2001:db8::1]:5060"},
        {"no port and none assumed", "203.0.113.9", 0, nullptr},
        {"no port", "203.0.113.9", 5060, "203.0.113.9:5060"},
        {"IPv6 without port", "[2001:db8::1]", 5060, "[2001:db8::1]:5060"},
        {"bare IPv6", "2001:db8::1", 5060, "[2001:db8::1]:5060"},
        {"bare IPv6 is never split at its last colon", "2001:db8::1:5060", 0, nullptr},
        {"port too large", "203.0.113.9:65536", 0, nullptr},
        {"empty port", "203.0.113.9:", 5060, nullptr},
        {"only a port", ":5060", 0, nullptr},
        {"open bracket", "[2001:db8::1:5060", 0, nullptr},
        {"one bracket", "[", 5060, nullptr},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto endpoint = Endpoint::parse(c.text, c.default_port);
        REQUIRE(endpoint.has_value() == (c.want != nullptr));
        if (endpoint) CHECK(to_string(*endpoint) == c.want);
    }
}
