#include "natkit/relay/leg_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "natkit/relay/relay.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

constexpr Instant start{1000s};

/// Two legs of UDP and two of TCP.
struct Four {
    Relay relay{{.silence = 60s, .hold = 2h}};
    UdpLeg& a = relay.udp.add(1, Stream::rtp, false, start);
    UdpLeg& b = relay.udp.add(2, Stream::udp, false, start);
    TcpLeg& c = relay.tcp.add(3, 1, start);
    TcpLeg& d = relay.tcp.add(4, 1, start);

    std::vector<LegKey> timed_out() {
        std::vector<LegKey> keys;
        for (const Event& event : relay.legs.take_events()) {
            CHECK(event.kind == Event::Kind::timed_out);
            keys.push_back(event.leg);
        }
        std::ranges::sort(keys);
        return keys;
    }
};

}  // namespace

TEST_CASE("relay::LegTable: one table has the legs of UDP and of TCP, and knows which is which") {
    Four four;
    LegTable& legs = four.relay.legs;
    CHECK(legs.legs().size() == 4);
    CHECK(as_udp(legs.find(1)) == &four.a);
    CHECK(as_tcp(legs.find(1)) == nullptr);
    CHECK(as_tcp(legs.find(3)) == &four.c);
    CHECK(as_udp(legs.find(3)) == nullptr);
    CHECK(legs.find(5) == nullptr);
    CHECK(as_udp(legs.find(5)) == nullptr);
    CHECK(as_tcp(legs.find(5)) == nullptr);
}

TEST_CASE("relay::LegTable: joins of both kinds come and go beside each other") {
    Four four;
    Relay& relay = four.relay;
    relay.join(four.a, four.b, start);
    relay.join(four.c, four.d, start);
    CHECK(relay.legs.joins().size() == 2);
    CHECK(four.a.peer() == &four.b);
    CHECK(four.d.peer() == &four.c);
    relay.part(four.b, start + 1s);
    CHECK(four.a.peer() == nullptr);
    CHECK(four.a.changed == start + 1s);
    CHECK(four.c.peer() == &four.d);
    REQUIRE(relay.legs.joins().size() == 1);
    CHECK(four.c.join->index == 0);
    relay.remove(3, start + 2s);
    CHECK(four.d.peer() == nullptr);
    CHECK(relay.legs.joins().empty());
    CHECK(relay.legs.legs().size() == 3);
}

TEST_CASE("relay::Relay: what signalling says of a leg goes to the part whose leg it is") {
    Four four;
    const Party phone{.place = nat::Place::lan, .endpoint = Endpoint::parse("192.168.10.5:4000").value()};
    for (Leg* leg : {static_cast<Leg*>(&four.a), static_cast<Leg*>(&four.c)}) {
        four.relay.signal(*leg, phone, SourcePolicy::learn_port, start + 5s);
        CHECK(leg->changed == start + 5s);
        four.relay.set_hold(*leg, true, start + 6s);
        CHECK(leg->hold);
        CHECK(leg->changed == start + 6s);
    }
    CHECK(four.a.part(Component::rtp).latch.target() == phone.endpoint);
    CHECK(four.c.party == phone);
}

TEST_CASE("relay::Relay: a leg that nobody joins is told of once, of either kind") {
    Four four;
    four.relay.join(four.a, four.b, start);
    four.relay.on_time(start + 2h);
    CHECK(four.timed_out() == std::vector<LegKey>{1, 3, 4});  // the first of them stands for its join
    four.relay.part(four.a, start + 2h);
    four.relay.on_time(start + 2h + 1s);
    CHECK(four.timed_out().empty());
    four.relay.on_time(start + 4h);
    CHECK(four.timed_out() == std::vector<LegKey>{1, 2, 3, 4});
}

TEST_CASE("relay::LegTable: events that nobody takes are bounded, and a leg untold of is told of later") {
    Four four;
    LegTable& legs = four.relay.legs;
    while (legs.tell({.kind = Event::Kind::timed_out, .leg = 9})) continue;
    four.relay.on_time(start + 2h);
    CHECK(std::ranges::count(four.timed_out(), LegKey{9}) == 65536);
    four.relay.on_time(start + 2h + 1s);
    CHECK(four.timed_out() == std::vector<LegKey>{1, 2, 3, 4});
}

TEST_CASE("relay::LegTable: a parted leg goes to another table with all it has learned") {
    Four four;
    four.a.part(Component::rtp).counters.received_packets = 7;
    Relay other{{}};
    other.legs.insert(four.relay.legs.extract(1), start);
    CHECK(four.relay.legs.find(1) == nullptr);
    CHECK(four.relay.legs.extract(1) == nullptr);
    REQUIRE(as_udp(other.legs.find(1)) != nullptr);
    CHECK(as_udp(other.legs.find(1))->part(Component::rtp).counters.received_packets == 7);
    CHECK(other.next_deadline() == start + 1s);
}
