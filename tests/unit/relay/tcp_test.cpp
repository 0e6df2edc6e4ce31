#include <doctest/doctest.h>

#include "tcp_parties.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace natkit::relay::parties;
using namespace std::chrono_literals;
using sdp::Setup;

TEST_CASE("relay::TcpRelay: who may connect, and who is dialled") {
    struct Case {
        const char* why;
        Party party;
        const char* source;
        const char* refused;  ///< or empty
        const char* dials;    ///< or empty
    };
    const Case cases[] = {
        {"active: from any port of its address", lan(Setup::active), "192.168.10.5:40000", "", ""},
        {"active: a stranger", lan(Setup::active), "192.168.10.6:5000", "wrong-address", ""},
        {"passive: it is dialled", lan(Setup::passive), "192.168.10.5:40000", "wrong-role", "192.168.10.5:5000"},
        {"actpass: either", lan(Setup::actpass), "192.168.10.5:5000", "", "192.168.10.5:5000"},
        {"actpass at the discard port: it will connect", lan(Setup::actpass, "192.168.10.5:9"), "192.168.10.5:1", "",
         ""},
        {"passive at port 9 is what it says", lan(Setup::passive, "192.168.10.5:9"), "192.168.10.5:1", "wrong-role",
         "192.168.10.5:9"},
        {"holdconn: nobody", lan(Setup::holdconn), "192.168.10.5:5000", "wrong-role", ""},
        {"far-end active: its visible address", far_end(Setup::active), "203.0.113.20:999", "", ""},
        {"far-end active: not its own idea of its address", far_end(Setup::active), "192.168.1.10:1503",
         "wrong-address", ""},
        {"far-end passive: its visible address at its port", far_end(Setup::passive), "203.0.113.20:999", "wrong-role",
         "203.0.113.20:1503"},
        {"far-end actpass is made active", far_end(Setup::actpass), "203.0.113.20:999", "", ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Bench bench;
        bench.tell(bench.a, c.party);
        const auto id = bench.relay.tcp.on_accepted(bench.a, ep(c.source), bench.now);
        CHECK(bench.events() == c.refused);
        CHECK(id.has_value() == std::string(c.refused).empty());
        const auto target = bench.a.dials();
        CHECK((target ? to_string(*target) : "") == c.dials);
    }
    Bench bench;
    CHECK_FALSE(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
    CHECK(bench.events() == "no-party");
    Party site = far_end(Setup::active);
    site.site = *IpRange::parse("203.0.113.16-203.0.113.31");
    bench.tell(bench.a, site);
    CHECK(bench.relay.tcp.on_accepted(bench.a, ep("203.0.113.31:5"), bench.now));
}

TEST_CASE("relay::TcpRelay: a connection leads to another") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, far_end(Setup::passive));
    bench.relay.join(bench.a, bench.b, bench.now);
    CHECK(bench.effects().empty());

    SUBCASE("dialled, coupled, ended, and again") {
        for (int round = 0; round < 3; ++round) {
            const auto id = bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:40000"), bench.now);
            REQUIRE(id);
            CHECK(bench.effects() == "dial 203.0.113.20:1503");
            bench.relay.tcp.on_connected(bench.dialled, bench.now);
            CHECK(bench.effects() == "couple");
            CHECK(bench.events() == "connected");
            bench.relay.tcp.on_progress(*id, 100, 50, true, bench.now);
            bench.relay.tcp.on_ended(*id, Ending::closed, bench.now);
            CHECK(bench.effects().empty());
            CHECK(bench.events() == "disconnected closed");
            CHECK(bench.relay.tcp.connections().empty());
        }
        CHECK(bench.a.counters.received_bytes == 300);
        CHECK(bench.a.counters.sent_bytes == 150);
        CHECK(bench.a.opened == 3);
    }
    SUBCASE("a forwarded port is tried once, until signalling speaks") {
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.effects() == "dial 203.0.113.20:1503");
        bench.relay.tcp.on_failed(bench.dialled, ConnectFailure::refused, bench.now);
        CHECK(bench.effects() == "reset");
        CHECK(bench.events() == "not-connected");
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:2"), bench.now));
        CHECK(bench.effects() == "reset");
        CHECK(bench.relay.tcp.connections().empty());
        bench.tell(bench.b, far_end(Setup::passive), true);
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:3"), bench.now));
        CHECK(bench.effects() == "dial 203.0.113.20:1503");
    }
    SUBCASE("no answer is a failure after ten seconds") {
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        (void)bench.effects();
        bench.pass(9s);
        CHECK(bench.effects().empty());
        bench.pass(2s);
        CHECK(bench.effects() == "reset, reset");
        CHECK(bench.b.failed == 1);
        CHECK(bench.relay.tcp.connections().empty());
    }
    SUBCASE("the party hangs up while the other one is dialled") {
        const auto id = bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now);
        (void)bench.effects();
        bench.relay.tcp.on_ended(*id, Ending::reset, bench.now);
        CHECK(bench.effects() == "reset");  // the dialling one
        CHECK(bench.relay.tcp.connections().empty());
        bench.relay.tcp.on_connected(bench.dialled, bench.now);  // too late, and no harm
        CHECK(bench.effects().empty());
    }
    SUBCASE("parted") {
        const auto id = bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now);
        (void)bench.effects();
        bench.relay.tcp.on_connected(bench.dialled, bench.now);
        (void)bench.effects();
        (void)bench.events();
        bench.relay.part(bench.a, bench.now);
        CHECK(bench.effects() == "close, close");
        CHECK(bench.events() == "disconnected parted");
        CHECK(bench.relay.tcp.connection(*id) == nullptr);
    }
}

TEST_CASE("relay::TcpRelay: both connect, both listen, either") {
    Bench bench;
    SUBCASE("both connect: the first waits, thirty seconds at most") {
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, far_end(Setup::active));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        bench.pass(29s);
        CHECK(bench.effects().empty());
        bench.pass(2s);
        CHECK(bench.effects() == "reset");
        CHECK(bench.events() == "not-met");
        CHECK(bench.relay.tcp.on_accepted(bench.b, ep("203.0.113.20:1"), bench.now));
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:2"), bench.now));
        CHECK(bench.effects() == "couple");
    }
    SUBCASE("both listen: both are dialled, when signalling speaks and not after each end") {
        bench.tell(bench.a, lan(Setup::passive));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.effects().empty());
        bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1503"));
        std::vector<ConnectionId> ids;
        for (const TcpEffect& effect : bench.relay.tcp.take_effects()) ids.push_back(effect.id);
        REQUIRE(ids.size() == 2);
        bench.relay.tcp.on_connected(ids[0], bench.now);
        CHECK(bench.effects().empty());
        bench.relay.tcp.on_connected(ids[1], bench.now);
        CHECK(bench.effects() == "couple");
        bench.relay.tcp.on_ended(ids[0], Ending::closed, bench.now);
        CHECK(bench.effects().empty());
        bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1504"));
        CHECK(bench.effects() == "dial 192.168.10.5:5000, dial 192.168.10.9:1504");
        bench.relay.tcp.on_failed(bench.dialled, ConnectFailure::unreachable, bench.now);
        CHECK(bench.effects() == "reset");
        CHECK(bench.relay.tcp.connections().empty());
    }
    SUBCASE("actpass: a party that connects while it is dialled wins") {
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, lan(Setup::actpass, "192.168.10.9:1503"));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.effects() == "dial 192.168.10.9:1503");
        CHECK(bench.relay.tcp.on_accepted(bench.b, ep("192.168.10.9:7"), bench.now));
        CHECK(bench.effects() == "reset, couple");
    }
    SUBCASE("actpass: it may still connect after it was dialled in vain") {
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, lan(Setup::actpass, "192.168.10.9:1503"));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        (void)bench.effects();
        bench.tell(bench.b, lan(Setup::active, "192.168.10.9:9"));
        bench.relay.tcp.on_failed(bench.dialled, ConnectFailure::refused, bench.now);
        CHECK(bench.effects().empty());
        CHECK(bench.relay.tcp.on_accepted(bench.b, ep("192.168.10.9:7"), bench.now));
        CHECK(bench.effects() == "couple");
    }
    SUBCASE("actpass: it is dialled once for a connection, and again when signalling has spoken") {
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, lan(Setup::actpass, "192.168.10.9:1503"));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.effects() == "dial 192.168.10.9:1503");
        bench.relay.tcp.on_failed(bench.dialled, ConnectFailure::refused, bench.now);
        bench.pass(5s);
        CHECK(bench.effects().empty());
        bench.tell(bench.b, lan(Setup::actpass, "192.168.10.9:1504"));
        CHECK(bench.effects() == "dial 192.168.10.9:1504");
        bench.relay.tcp.on_failed(bench.dialled, ConnectFailure::refused, bench.now);
        CHECK(bench.effects().empty());
        CHECK(bench.relay.tcp.on_accepted(bench.b, ep("192.168.10.9:7"), bench.now));
        CHECK(bench.effects() == "couple");
    }
}

TEST_CASE("relay::TcpRelay: signalling names another address: what the old one had open ends") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1503"));
    bench.relay.join(bench.a, bench.b, bench.now);
    CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
    (void)bench.effects();
    bench.relay.tcp.on_connected(bench.dialled, bench.now);
    (void)bench.effects();
    bench.tell(bench.a, lan(Setup::active));  // the same
    bench.tell(bench.a, lan(Setup::holdconn));
    CHECK(bench.effects().empty());
    bench.tell(bench.a, lan(Setup::active, "192.168.10.6:9"));
    CHECK(bench.effects() == "close, close");
    CHECK_FALSE(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
}

TEST_CASE("relay::TcpRelay: a WAN party is dialled where its signalling comes from, and nowhere else") {
    struct Case {
        const char* why;
        const char* endpoint;
        const char* visible;  ///< null: not known
        const char* site;     ///< null: none
        bool dialled;
    };
    constexpr Case cases[] = {
        {"at its signalling address", "203.0.113.50:5000", "203.0.113.50", nullptr, true},
        {"a third host", "203.0.113.99:25", "203.0.113.50", nullptr, false},
        {"another address of its site", "203.0.113.70:5000", "203.0.113.64", "203.0.113.64-203.0.113.79", true},
        {"beside its site", "203.0.113.80:5000", "203.0.113.64", "203.0.113.64-203.0.113.79", false},
        {"in dial_for", "198.51.100.9:5000", "203.0.113.50", nullptr, true},
        {"a script knows no signalling", "203.0.113.99:5000", nullptr, nullptr, true},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Bench bench;
        bench.relay.tcp.set_dial_for(RangeSet({*IpRange::parse("198.51.100.0/24")}));
        Party party{.place = nat::Place::wan, .endpoint = ep(c.endpoint), .setup = Setup::passive};
        if (c.visible != nullptr) party.visible = *IpAddress::parse(c.visible);
        if (c.site != nullptr) party.site = *IpRange::parse(c.site);
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, party);
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK((bench.effects() == std::string("dial ") + c.endpoint) == c.dialled);
        CHECK((bench.events() == "not-dialled, not-connected") != c.dialled);
        CHECK(bench.relay.tcp.connections().empty() != c.dialled);
    }
    Bench both;  // neither connects: the relay would have to dial both
    Party third{.place = nat::Place::wan,
                .endpoint = ep("203.0.113.99:25"),
                .visible = *IpAddress::parse("203.0.113.50"),
                .setup = Setup::passive};
    both.tell(both.a, lan(Setup::passive));
    both.tell(both.b, third);
    both.relay.join(both.a, both.b, both.now);
    CHECK(both.effects().empty());
    CHECK(both.events() == "not-dialled");
}

TEST_CASE("relay::TcpRelay: time-outs") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1503"));
    bench.relay.join(bench.a, bench.b, bench.now);
    bench.pass(59s);
    CHECK(bench.events().empty());
    bench.pass(1s);
    CHECK(bench.events() == "timed-out");
    SUBCASE("one that is up may be idle for hold_timeout") {
        CHECK(bench.relay.tcp.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        (void)bench.effects();
        bench.relay.tcp.on_connected(bench.dialled, bench.now);
        (void)bench.events();
        bench.now += 90min;
        bench.relay.on_time(bench.now);
        CHECK(bench.events().empty());
        bench.now += 31min;
        bench.relay.on_time(bench.now);
        CHECK(bench.events() == "timed-out");
    }
    SUBCASE("on hold there need be none") {
        bench.relay.set_hold(bench.a, true, bench.now);
        bench.pass(300s);
        CHECK(bench.events().empty());
    }
}
