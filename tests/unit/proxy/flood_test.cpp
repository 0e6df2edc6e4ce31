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
int passed(FloodGate& gate, int count, Duration time, Instant begin, Sender sender, Remote remote) {
    int pass = 0;
    for (int n = 0; n < count; ++n) {
        pass += gate.admit(remote(n), 0, sender, begin + time / count * n) == Verdict::pass ? 1 : 0;
    }
    return pass;
}

Endpoint many_ports(int n) {
    return endpoint(1, static_cast<std::uint16_t>(1024 + n % 5000));
}

}  // namespace

TEST_CASE("FloodGate: a flow has its share, and gets it back with time") {
    FloodGate gate;
    const Instant begin{1h};
    const auto one = [](int) { return endpoint(1, 5060); };
    CHECK(passed(gate, 1000, 10s, begin, Sender::user, one) == 1000);
    CHECK(passed(gate, 10'000, 10s, begin + 20s, Sender::user, one) == doctest::Approx(1200).epsilon(0.02));
    CHECK(passed(gate, 100, 1s, begin + 40s, Sender::user, one) == 100);
    CHECK(gate.admit(endpoint(1, 5060), 7, Sender::user, begin + 41s) == Verdict::pass);
}

TEST_CASE("FloodGate: a source with many flows, and all strangers together, have theirs") {
    FloodGate gate;
    const Instant begin{1h};
    CHECK(passed(gate, 20'000, 10s, begin, Sender::stranger, many_ports) == doctest::Approx(3600).epsilon(0.02));
    const auto everywhere = [](int n) { return endpoint(static_cast<std::uint32_t>(n), 5060); };
    CHECK(passed(gate, 100'000, 10s, begin + 60s, Sender::stranger, everywhere) ==
          doctest::Approx(12'000).epsilon(0.02));
    CHECK(gate.admit(endpoint(7, 5060), 0, Sender::stranger, begin + 70s) == Verdict::strangers);
    // Who is registered is not touched by any of that, nor are servers and the LAN.
    CHECK(gate.admit(endpoint(7, 5062), 0, Sender::user, begin + 70s) == Verdict::pass);
    CHECK(gate.admit(endpoint(1, 9999), 0, Sender::user, begin + 70s) == Verdict::pass);
    CHECK(gate.admit(endpoint(1, 5060), 0, Sender::server, begin + 70s) == Verdict::pass);
    CHECK(gate.admit(endpoint(1, 5060), 0, Sender::lan, begin + 70s) == Verdict::pass);
}

TEST_CASE("FloodGate: nobody is without a limit, and a server's is one for servers") {
    struct Case {
        const char* why;
        Sender sender;
        double one_flow, many_flows;  ///< of 40,000 requests in 10 s
    };
    constexpr Case cases[] = {
        {"a stranger", Sender::stranger, 1200, 3600},
        {"a source of registered phones", Sender::user, 1200, 12'000},
        {"a server, by one flow as they do", Sender::server, 12'000, 12'000},
        {"a LAN address", Sender::lan, 12'000, 12'000},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        FloodGate gate;
        const Instant begin{1h};
        const auto one = [](int) { return endpoint(2, 5060); };
        CHECK(passed(gate, 40'000, 10s, begin, c.sender, one) == doctest::Approx(c.one_flow).epsilon(0.02));
        CHECK(passed(gate, 40'000, 10s, begin, c.sender, many_ports) == doctest::Approx(c.many_flows).epsilon(0.02));
    }
}

TEST_CASE("FloodGate: a dialog is served while its sender's address floods, and is bounded itself") {
    FloodGate gate;
    const Instant begin{1h};
    const auto one = [](int) { return endpoint(1, 5060); };
    CHECK(passed(gate, 10'000, 1s, begin, Sender::stranger, one) < 10'000);
    const auto refused = gate.refused();
    int pass = 0;
    for (int n = 0; n < 10'000; ++n) {
        if (gate.admit(endpoint(1, 5060), 0, Sender::stranger, begin + 1s) == Verdict::pass) continue;
        pass += gate.admit_in_dialog(endpoint(1, 5060), 0, Sender::stranger, begin + 1s) == Verdict::pass ? 1 : 0;
    }
    CHECK(pass == 200);
    CHECK(gate.refused() > refused);
}

TEST_CASE("FloodGate: 2,000 phones behind one address that register again within a minute lose nothing") {
    FloodGate gate;
    // Each asks, is asked for its password, and asks again with it; none of their flows is known any more.
    const auto phone = [](int n) { return endpoint(1, static_cast<std::uint16_t>(10'000 + n / 2)); };
    CHECK(passed(gate, 4'000, 60s, Instant{1h}, Sender::stranger, phone) == 4'000);
}

TEST_CASE("FloodGate: the addresses of one IPv6 /64 are one source") {
    FloodGate gate;
    const Instant begin{1h};
    const auto remote = [](int n) {
        const auto high = static_cast<std::uint8_t>(n >> 8);
        const auto low = static_cast<std::uint8_t>(n);
        return Endpoint{.address = IpAddress::v6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low}),
                        .port = 5060};
    };
    CHECK(passed(gate, 20'000, 10s, begin, Sender::stranger, remote) == doctest::Approx(3600).epsilon(0.02));
    CHECK(gate.first_refusal(remote(1).address, begin));
    CHECK_FALSE(gate.first_refusal(remote(2).address, begin));
}

TEST_CASE("FloodGate: bounded, and an address is told of once a minute") {
    FloodGate gate({.flow = {.per_second = 1, .burst = 1}, .remembered = 100});
    const Instant now{1h};
    for (std::uint32_t n = 0; n < 10'000; ++n) (void)gate.admit(endpoint(n, 5060), 0, Sender::user, now);
    CHECK(gate.admit(endpoint(9'999, 5060), 0, Sender::user, now) == Verdict::flow);
    CHECK(gate.refused() == 1);
    CHECK(gate.first_refusal(endpoint(1, 0).address, now));
    CHECK_FALSE(gate.first_refusal(endpoint(1, 0).address, now + 59s));
    CHECK(gate.first_refusal(endpoint(1, 0).address, now + 61s));
    for (std::uint32_t n = 0; n < 10'000; ++n) (void)gate.first_refusal(endpoint(n, 0).address, now);
}
