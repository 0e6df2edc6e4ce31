#include "natkit/proxy/proven.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::proxy;
using namespace std::chrono_literals;

namespace {

Endpoint endpoint(std::uint16_t port) {
    return {.address = IpAddress::v4(0xc6336401), .port = port};
}

}  // namespace

TEST_CASE("Proven: an address and port, for ten minutes") {
    Proven proven;
    const Instant now{1h};
    proven.note(endpoint(5060), now);
    CHECK(proven.knows(endpoint(5060), now));
    CHECK_FALSE(proven.knows(endpoint(5061), now));
    CHECK(proven.knows(endpoint(5060), now + 9min));
    CHECK_FALSE(proven.knows(endpoint(5060), now + 11min));
    proven.note(endpoint(5060), now + 9min);
    CHECK(proven.knows(endpoint(5060), now + 11min));
}

TEST_CASE("Proven: bounded, and the latest are known") {
    Proven proven(100);
    for (std::uint16_t port = 1; port < 10'000; ++port) proven.note(endpoint(port), Instant{1h});
    std::size_t known = 0;
    for (std::uint16_t port = 1; port < 10'000; ++port) known += proven.knows(endpoint(port), Instant{1h}) ? 1 : 0;
    CHECK(known <= 100);
    CHECK(known >= 50);
    CHECK(proven.knows(endpoint(9'999), Instant{1h}));
    CHECK_FALSE(proven.knows(endpoint(1), Instant{1h}));
}
