#include "natkit/proxy/flood.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::proxy;
using namespace std::chrono_literals;
using Verdict = FloodGate::Verdict;

namespace {

Endpoint endpoint(std::uint32_t host, std::uint16_t port) {
    return {.address = IpAddress::v4(0xc6336400 + host), .port = port};
}

/// How many of `count` requests, evenly over a time, pass.
template <class Remote>
int passed(FloodGate& gate, int count, Duration time, Instant begin, bool registered, Remote remote) {
    int pass = 0;
    for (int n = 0; n < count; ++n) {
        pass += gate.admit(remote(n), 0, registered, begin + time / count * n) == Verdict::pass ? 1 : 0;
    }
    return pass;
}

}  // namespace

TEST_CASE("FloodGate: a flow has its share, and gets it back with time") {
    FloodGate gate;
    const Instant begin{1h};
    const auto one = [](int) { return endpoint(1, 5060); };
    CHECK(passed(gate, 1000, 10s, begin, true, one) == 1000);
    CHECK(passed(gate, 10'000, 10s, begin + 20s, true, one) == doctest::Approx(1200).epsilon(0.02));
    CHECK(passed(gate, 100, 1s, begin + 40s, true, one) == 100);
    CHECK(gate.admit(endpoint(1, 5060), 7, true, begin + 41s) == Verdict::pass);
}

TEST_CASE("FloodGate: an address with many flows, and all strangers together, have theirs") {
    FloodGate gate;
    const Instant begin{1h};
    const auto ports = [](int n) { return endpoint(1, static_cast<std::uint16_t>(1024 + n % 5000)); };
    CHECK(passed(gate, 20'000, 10s, begin, false, ports) == doctest::Approx(3600).epsilon(0.02));
    const auto everywhere = [](int n) { return endpoint(static_cast<std::uint32_t>(n), 5060); };
    CHECK(passed(gate, 100'000, 10s, begin + 60s, false, everywhere) == doctest::Approx(12'000).epsilon(0.02));
    CHECK(gate.admit(endpoint(7, 5060), 0, false, begin + 70s) == Verdict::strangers);
    // Who is registered is not touched by any of that.
    CHECK(gate.admit(endpoint(7, 5062), 0, true, begin + 70s) == Verdict::pass);
    CHECK(gate.admit(endpoint(1, 9999), 0, true, begin + 70s) == Verdict::pass);
}

TEST_CASE("FloodGate: the addresses of one IPv6 /64 are one source") {
    FloodGate gate;
    const Instant begin{1h};
    const auto remote = [](int n) {
        const auto low = static_cast<std::uint8_t>(n);
        return Endpoint{.address = IpAddress::v6(
                            {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(n >> 8), low}),
                        .port = 5060};
    };
    CHECK(passed(gate, 20'000, 10s, begin, false, remote) == doctest::Approx(3600).epsilon(0.02));
    CHECK(gate.first_refusal(remote(1).address, begin));
    CHECK_FALSE(gate.first_refusal(remote(2).address, begin));
}

TEST_CASE("FloodGate: bounded, and an address is told of once a minute") {
    FloodGate gate({.flow = {.per_second = 1, .burst = 1}, .source = {}, .strangers = {}, .remembered = 100});
    const Instant now{1h};
    for (std::uint32_t n = 0; n < 10'000; ++n) (void)gate.admit(endpoint(n, 5060), 0, true, now);
    CHECK(gate.admit(endpoint(9'999, 5060), 0, true, now) == Verdict::flow);
    CHECK(gate.refused() == 1);
    CHECK(gate.first_refusal(endpoint(1, 0).address, now));
    CHECK_FALSE(gate.first_refusal(endpoint(1, 0).address, now + 59s));
    CHECK(gate.first_refusal(endpoint(1, 0).address, now + 61s));
    for (std::uint32_t n = 0; n < 10'000; ++n) (void)gate.first_refusal(endpoint(n, 0).address, now);
}
