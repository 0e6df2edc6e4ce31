#include <doctest/doctest.h>

#include "tcp_parties.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace natkit::relay::parties;
using namespace std::chrono_literals;
using sdp::Setup;

TEST_CASE("relay::TcpRelay: one at a time, the next ones wait") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1503"));
    bench.relay.join(bench.a, bench.b, bench.now);
    const auto first = bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now);
    (void)bench.effects();
    bench.relay.tcp.on_connected(bench.dialled, bench.now);
    (void)bench.effects();
    (void)bench.events();
    for (unsigned n = 0; n < max_waiting; ++n) {
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:2"), bench.now));
    }
    CHECK_FALSE(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:3"), bench.now));
    CHECK(bench.events() == "too-many");
    CHECK(bench.effects().empty());

    SUBCASE("its turn comes with the end of the one before") {
        bench.relay.tcp.on_ended(*first, Ending::closed, bench.now);
        CHECK(bench.effects() == "dial 192.168.10.9:1503");
    }
    SUBCASE("a party that has ended its direction is not kept waiting by the other one") {
        bench.relay.tcp.on_progress(*first, 1, 1, true, bench.now);
        bench.pass(3s);
        CHECK(bench.effects() == "reset, reset, dial 192.168.10.9:1503");  // the other direction was cut short
        CHECK(bench.events() == "disconnected replaced");
    }
    SUBCASE("nor when both have ended theirs, and one does not take what the other sent") {
        bench.relay.tcp.on_progress(*first, 1, 1, true, bench.now);
        bench.relay.tcp.on_progress(bench.dialled, 5, 1, true, bench.now);
        bench.pass(3s);
        CHECK(bench.effects() == "reset, reset, dial 192.168.10.9:1503");
    }
    SUBCASE("but what the other one still sends goes through") {
        for (std::uint64_t n = 1; n <= 40; ++n) {
            bench.relay.tcp.on_progress(*first, 1, n, true, bench.now);
            bench.pass(500ms);
        }
        CHECK(bench.effects().empty());
        bench.relay.tcp.on_progress(*first, 1, 40, true, bench.now);
        bench.relay.tcp.on_progress(bench.dialled, 100, 1, false,
                                    bench.now);  // it comes, and the first does not take it
        bench.pass(1500ms);
        CHECK(bench.effects().empty());
        bench.pass(2s);
        CHECK(bench.effects() == "reset, reset, dial 192.168.10.9:1503");
    }
    SUBCASE("they do not wait for ever") {
        bench.pass(31s);
        CHECK(bench.relay.tcp.connections().size() == 2);
        CHECK(bench.a.counters.dropped(Drop::not_met) == max_waiting);
    }
    SUBCASE("connection:new lets the next one take its place at once") {
        bench.relay.remove(1, bench.now);
        (void)bench.effects();
        TcpLeg& again = bench.relay.tcp.add(3, 1, bench.now);
        bench.tell(again, lan(Setup::active));
        bench.relay.join(again, bench.b, bench.now);
        CHECK(bench.relay.tcp.on_accepted(again, ep("192.168.10.5:1"), bench.now));
        (void)bench.effects();
        bench.relay.tcp.on_connected(bench.dialled, bench.now);
        (void)bench.effects();
        bench.tell(again, lan(Setup::active), true);
        CHECK(bench.effects().empty());
        CHECK(bench.relay.tcp.on_accepted(again, ep("192.168.10.5:2"), bench.now));
        CHECK(bench.effects() == "close, close, dial 192.168.10.9:1503");
    }
}

TEST_CASE("relay::TcpRelay: no more wait than may, also while nobody is connected") {
    const auto fill = [](Bench& bench) {
        for (unsigned n = 0; n < max_waiting; ++n) {
            CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        }
        CHECK_FALSE(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.events() == "too-many");
        CHECK(bench.effects().empty());
        CHECK(bench.a.connections.size() == max_waiting);
    };
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    SUBCASE("not joined") {
        fill(bench);
    }
    SUBCASE("joined with a party that connects itself, and does not") {
        bench.tell(bench.b, far_end(Setup::active));
        bench.relay.join(bench.a, bench.b, bench.now);
        fill(bench);
        bench.pass(31s);
        CHECK(bench.a.connections.empty());
        CHECK(bench.a.counters.dropped(Drop::not_met) == max_waiting);
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
    }
    SUBCASE("joined with nobody yet") {
        bench.relay.join(bench.a, bench.b, bench.now);
        fill(bench);
    }
}

TEST_CASE("relay::TcpRelay: actpass with several connections leaves none to spare") {
    Bench bench;
    TcpLeg& a = bench.relay.tcp.add(3, 2, bench.now);
    TcpLeg& b = bench.relay.tcp.add(4, 2, bench.now);
    bench.tell(a, lan(Setup::active));
    bench.tell(b, lan(Setup::actpass, "192.168.10.9:1503"));
    bench.relay.join(a, b, bench.now);
    for (int n = 0; n < 2; ++n) {
        CHECK(bench.relay.tcp.on_accepted(a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.effects() == "dial 192.168.10.9:1503");
        CHECK(bench.relay.tcp.on_accepted(b, ep("192.168.10.9:7"), bench.now));
        CHECK(bench.effects() == "reset, couple");  // the dialling one ends
        bench.relay.tcp.on_connected(bench.dialled, bench.now);
        CHECK(bench.effects().empty());
    }
    CHECK(a.connections.size() == 2);
    CHECK(b.connections.size() == 2);
    CHECK(bench.relay.tcp.connections().size() == 4);
}

TEST_CASE("relay::TcpRelay: what this host did not manage does not use up the try at a forwarded port") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, far_end(Setup::passive));
    bench.relay.join(bench.a, bench.b, bench.now);
    for (const ConnectFailure why : {ConnectFailure::system, ConnectFailure::system, ConnectFailure::timed_out}) {
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.effects() == "dial 203.0.113.20:1503");
        bench.relay.tcp.on_failed(bench.dialled, why, bench.now);
        CHECK(bench.effects() == "reset");
    }
    CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
    CHECK(bench.effects() == "reset");
}
