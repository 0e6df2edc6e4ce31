#include "natkit/relay/traffic.hpp"

#include <doctest/doctest.h>

#include <array>

#include "natkit/relay/promotion.hpp"
#include "natkit/relay/relay.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

constexpr Instant start{1000s};

}  // namespace

TEST_CASE("relay::LegTable: what legs have relayed altogether is kept when they go, and moves with none of them") {
    Relay here{{.silence = 60s, .hold = 2h}};
    Relay there{{.silence = 60s, .hold = 2h}};
    UdpLeg& a = here.udp.add(1, Stream::rtp, false, start);
    TcpLeg& b = here.tcp.add(2, 1, start);
    a.part(Component::rtp).counters = {
        .received_packets = 10, .received_bytes = 1000, .sent_packets = 7, .sent_bytes = 700};
    a.part(Component::rtcp).counters = {.received_packets = 1, .received_bytes = 60};
    b.counters = {.received_bytes = 5, .sent_bytes = 6};
    const Traffic all{.received_packets = 11, .received_bytes = 1065, .sent_packets = 7, .sent_bytes = 706};
    CHECK(here.legs.traffic() == all);
    CHECK(there.legs.traffic() == Traffic{});

    // What it has counted stays with the thread that has relayed it.
    there.legs.insert(here.legs.extract(1), start);
    CHECK(here.legs.traffic() == all);
    CHECK(there.legs.traffic() == Traffic{});
    as_udp(there.legs.find(1))->part(Component::rtp).counters.received_packets += 5;
    CHECK(there.legs.traffic() == Traffic{.received_packets = 5});

    here.remove(2, start);
    there.remove(1, start);
    CHECK(here.legs.traffic() == all);
    CHECK(there.legs.traffic() == Traffic{.received_packets = 5});
    CHECK(there.legs.legs().empty());
}

TEST_CASE("relay::LegTable: what a process before has relayed may be left out") {
    Relay relay{{.silence = 60s, .hold = 2h}};
    UdpLeg& leg = relay.udp.add(1, Stream::rtp, false, start);
    leg.part(Component::rtp).counters.received_packets = 1'000'000;
    relay.legs.count_from_now();
    CHECK(relay.legs.traffic() == Traffic{});
    ++leg.part(Component::rtp).counters.received_packets;
    CHECK(relay.legs.traffic() == Traffic{.received_packets = 1});
}

TEST_CASE("relay::TrafficMeter: packets a second are of the last two totals, and nobody's after a while") {
    struct Told {
        const char* why;
        Duration at;
        std::uint64_t packets;
        std::uint64_t rate;
    };
    constexpr std::array<Told, 7> told{{
        {"the first says nothing of how fast they came", 1s, 1000, 0},
        {"a second later", 2s, 1050, 50},
        {"too soon after it", 2s + 100ms, 1060, 50},
        {"a second and a half", 3s + 500ms, 1200, 100},
        {"none", 4s + 500ms, 1200, 0},
        {"after a gap nothing is known", 60s, 5000, 0},
        {"and again", 61s, 5100, 100},
    }};
    TrafficMeter meter;
    CHECK(meter.packets_a_second(start) == 0);
    for (const Told& one : told) {
        CAPTURE(one.why);
        meter.tell({.received_packets = one.packets}, start + one.at);
        CHECK(meter.packets_a_second(start + one.at) == one.rate);
        CHECK(meter.total().received_packets == one.packets);
    }
    CHECK(meter.packets_a_second(start + 63s) == 100);
    CHECK(meter.packets_a_second(start + 65s) == 0);
}
