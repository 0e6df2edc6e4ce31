#include "natkit/relay/tcp.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;
using Kind = TcpEffect::Kind;
using sdp::Setup;

namespace {

constexpr Instant start{std::chrono::hours(1)};

Endpoint ep(const char* text) {
    return *Endpoint::parse(text);
}

Party lan(Setup setup, const char* endpoint = "192.168.10.5:5000") {
    return {.place = nat::Place::lan, .endpoint = ep(endpoint), .setup = setup};
}
Party far_end(Setup setup) {
    return {.place = nat::Place::far_end,
            .endpoint = ep("192.168.1.10:1503"),
            .visible = *IpAddress::parse("203.0.113.20"),
            .setup = setup};
}

SourcePolicy policy(const Party& party) {
    return source_policy(party.place, true);
}

/// Two legs and what they made the sockets do.
struct Bench {
    TcpRelay relay{Timeouts{.silence = 60s, .hold = 2h}};
    Instant now = start;
    TcpLeg& a = relay.add(1, 1, start);
    TcpLeg& b = relay.add(2, 1, start);

    void tell(TcpLeg& leg, const Party& party, bool renew = false) {
        relay.signal(leg, party, policy(party), renew, now);
    }
    /// "dial 192.168.10.5:5000, couple, reset, close" as they come.
    std::string effects() {
        std::string text;
        for (const TcpEffect& effect : relay.take_effects()) {
            if (!text.empty()) text += ", ";
            if (effect.kind == Kind::dial) {
                text += "dial " + to_string(effect.remote);
                dialled = effect.id;
            } else {
                text += effect.kind == Kind::couple ? "couple" : effect.reset ? "reset" : "close";
            }
        }
        return text;
    }
    std::string events() {
        std::string text;
        for (const Event& event : relay.take_events()) {
            if (!text.empty()) text += ", ";
            switch (event.kind) {
                case Event::Kind::refused: text += to_string(event.reason); break;
                case Event::Kind::connected: text += "connected"; break;
                case Event::Kind::disconnected: text += std::string("disconnected ") + to_string(event.ending); break;
                case Event::Kind::timed_out: text += "timed-out"; break;
                default: text += "?"; break;
            }
        }
        return text;
    }
    void pass(Duration time) {
        for (const Instant end = now + time; now < end;) {
            now += 500ms;
            relay.on_time(now);
        }
    }
    ConnectionId dialled = 0;
};

}  // namespace

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
        const auto id = bench.relay.on_accepted(bench.a, ep(c.source), bench.now);
        CHECK(bench.events() == c.refused);
        CHECK(id.has_value() == std::string(c.refused).empty());
        const auto target = bench.a.dials();
        CHECK((target ? to_string(*target) : "") == c.dials);
    }
    Bench bench;
    CHECK_FALSE(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
    CHECK(bench.events() == "no-party");
    Party site = far_end(Setup::active);
    site.site = *IpRange::parse("203.0.113.16-203.0.113.31");
    bench.tell(bench.a, site);
    CHECK(bench.relay.on_accepted(bench.a, ep("203.0.113.31:5"), bench.now));
}

TEST_CASE("relay::TcpRelay: a connection leads to another") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, far_end(Setup::passive));
    bench.relay.join(bench.a, bench.b, bench.now);
    CHECK(bench.effects().empty());

    SUBCASE("dialled, coupled, ended, and again") {
        for (int round = 0; round < 3; ++round) {
            const auto id = bench.relay.on_accepted(bench.a, ep("192.168.10.5:40000"), bench.now);
            REQUIRE(id);
            CHECK(bench.effects() == "dial 203.0.113.20:1503");
            bench.relay.on_connected(bench.dialled, bench.now);
            CHECK(bench.effects() == "couple");
            CHECK(bench.events() == "connected");
            bench.relay.on_progress(*id, 100, 50, true, bench.now);
            bench.relay.on_ended(*id, Ending::closed, bench.now);
            CHECK(bench.effects().empty());
            CHECK(bench.events() == "disconnected closed");
            CHECK(bench.relay.connections().empty());
        }
        CHECK(bench.a.counters.received_bytes == 300);
        CHECK(bench.a.counters.sent_bytes == 150);
        CHECK(bench.a.opened == 3);
    }
    SUBCASE("a forwarded port is tried once, until signalling speaks") {
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.effects() == "dial 203.0.113.20:1503");
        bench.relay.on_failed(bench.dialled, ConnectFailure::refused, bench.now);
        CHECK(bench.effects() == "reset");
        CHECK(bench.events() == "not-connected");
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:2"), bench.now));
        CHECK(bench.effects() == "reset");
        CHECK(bench.relay.connections().empty());
        bench.tell(bench.b, far_end(Setup::passive), true);
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:3"), bench.now));
        CHECK(bench.effects() == "dial 203.0.113.20:1503");
    }
    SUBCASE("no answer is a failure after ten seconds") {
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        (void)bench.effects();
        bench.pass(9s);
        CHECK(bench.effects().empty());
        bench.pass(2s);
        CHECK(bench.effects() == "reset, reset");
        CHECK(bench.b.failed == 1);
        CHECK(bench.relay.connections().empty());
    }
    SUBCASE("the party hangs up while the other one is dialled") {
        const auto id = bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now);
        (void)bench.effects();
        bench.relay.on_ended(*id, Ending::reset, bench.now);
        CHECK(bench.effects() == "reset");  // the dialling one
        CHECK(bench.relay.connections().empty());
        bench.relay.on_connected(bench.dialled, bench.now);  // too late, and no harm
        CHECK(bench.effects().empty());
    }
    SUBCASE("parted") {
        const auto id = bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now);
        (void)bench.effects();
        bench.relay.on_connected(bench.dialled, bench.now);
        (void)bench.effects();
        (void)bench.events();
        bench.relay.part(bench.a, bench.now);
        CHECK(bench.effects() == "close, close");
        CHECK(bench.events() == "disconnected parted");
        CHECK(bench.relay.connection(*id) == nullptr);
    }
}

TEST_CASE("relay::TcpRelay: one at a time, the next ones wait") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1503"));
    bench.relay.join(bench.a, bench.b, bench.now);
    const auto first = bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now);
    (void)bench.effects();
    bench.relay.on_connected(bench.dialled, bench.now);
    (void)bench.effects();
    (void)bench.events();
    for (unsigned n = 0; n < max_waiting; ++n) {
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:2"), bench.now));
    }
    CHECK_FALSE(bench.relay.on_accepted(bench.a, ep("192.168.10.5:3"), bench.now));
    CHECK(bench.events() == "too-many");
    CHECK(bench.effects().empty());

    SUBCASE("its turn comes with the end of the one before") {
        bench.relay.on_ended(*first, Ending::closed, bench.now);
        CHECK(bench.effects() == "dial 192.168.10.9:1503");
    }
    SUBCASE("a party that has ended its direction is not kept waiting by the other one") {
        bench.relay.on_progress(*first, 1, 1, true, bench.now);
        bench.pass(3s);
        CHECK(bench.effects() == "close, close, dial 192.168.10.9:1503");
        CHECK(bench.events() == "disconnected replaced");
    }
    SUBCASE("they do not wait for ever") {
        bench.pass(31s);
        CHECK(bench.relay.connections().size() == 2);
        CHECK(bench.a.counters.dropped(Drop::not_met) == max_waiting);
    }
    SUBCASE("connection:new lets the next one take its place at once") {
        bench.relay.remove(1, bench.now);
        (void)bench.effects();
        TcpLeg& again = bench.relay.add(3, 1, bench.now);
        bench.tell(again, lan(Setup::active));
        bench.relay.join(again, bench.b, bench.now);
        CHECK(bench.relay.on_accepted(again, ep("192.168.10.5:1"), bench.now));
        (void)bench.effects();
        bench.relay.on_connected(bench.dialled, bench.now);
        (void)bench.effects();
        bench.tell(again, lan(Setup::active), true);
        CHECK(bench.effects().empty());
        CHECK(bench.relay.on_accepted(again, ep("192.168.10.5:2"), bench.now));
        CHECK(bench.effects() == "close, close, dial 192.168.10.9:1503");
    }
}

TEST_CASE("relay::TcpRelay: both connect, both listen, either") {
    Bench bench;
    SUBCASE("both connect: the first waits, thirty seconds at most") {
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, far_end(Setup::active));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        bench.pass(29s);
        CHECK(bench.effects().empty());
        bench.pass(2s);
        CHECK(bench.effects() == "reset");
        CHECK(bench.events() == "not-met");
        CHECK(bench.relay.on_accepted(bench.b, ep("203.0.113.20:1"), bench.now));
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:2"), bench.now));
        CHECK(bench.effects() == "couple");
    }
    SUBCASE("both listen: both are dialled, when signalling speaks and not after each end") {
        bench.tell(bench.a, lan(Setup::passive));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.effects().empty());
        bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1503"));
        std::vector<ConnectionId> ids;
        for (const TcpEffect& effect : bench.relay.take_effects()) ids.push_back(effect.id);
        REQUIRE(ids.size() == 2);
        bench.relay.on_connected(ids[0], bench.now);
        CHECK(bench.effects().empty());
        bench.relay.on_connected(ids[1], bench.now);
        CHECK(bench.effects() == "couple");
        bench.relay.on_ended(ids[0], Ending::closed, bench.now);
        CHECK(bench.effects().empty());
        bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1504"));
        CHECK(bench.effects() == "dial 192.168.10.5:5000, dial 192.168.10.9:1504");
        bench.relay.on_failed(bench.dialled, ConnectFailure::unreachable, bench.now);
        CHECK(bench.effects() == "reset");
        CHECK(bench.relay.connections().empty());
    }
    SUBCASE("actpass: a party that connects while it is dialled wins") {
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, lan(Setup::actpass, "192.168.10.9:1503"));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.effects() == "dial 192.168.10.9:1503");
        CHECK(bench.relay.on_accepted(bench.b, ep("192.168.10.9:7"), bench.now));
        CHECK(bench.effects() == "reset, couple");
    }
    SUBCASE("actpass: it may still connect after it was dialled in vain") {
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, lan(Setup::actpass, "192.168.10.9:1503"));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        (void)bench.effects();
        bench.tell(bench.b, lan(Setup::active, "192.168.10.9:9"));
        bench.relay.on_failed(bench.dialled, ConnectFailure::refused, bench.now);
        CHECK(bench.effects().empty());
        CHECK(bench.relay.on_accepted(bench.b, ep("192.168.10.9:7"), bench.now));
        CHECK(bench.effects() == "couple");
    }
    SUBCASE("actpass: it is dialled once for a connection, and again when signalling has spoken") {
        bench.tell(bench.a, lan(Setup::active));
        bench.tell(bench.b, lan(Setup::actpass, "192.168.10.9:1503"));
        bench.relay.join(bench.a, bench.b, bench.now);
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        CHECK(bench.effects() == "dial 192.168.10.9:1503");
        bench.relay.on_failed(bench.dialled, ConnectFailure::refused, bench.now);
        bench.pass(5s);
        CHECK(bench.effects().empty());
        bench.tell(bench.b, lan(Setup::actpass, "192.168.10.9:1504"));
        CHECK(bench.effects() == "dial 192.168.10.9:1504");
        bench.relay.on_failed(bench.dialled, ConnectFailure::refused, bench.now);
        CHECK(bench.effects().empty());
        CHECK(bench.relay.on_accepted(bench.b, ep("192.168.10.9:7"), bench.now));
        CHECK(bench.effects() == "couple");
    }
}

TEST_CASE("relay::TcpRelay: signalling names another address: what the old one had open ends") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1503"));
    bench.relay.join(bench.a, bench.b, bench.now);
    CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
    (void)bench.effects();
    bench.relay.on_connected(bench.dialled, bench.now);
    (void)bench.effects();
    bench.tell(bench.a, lan(Setup::active));  // the same
    bench.tell(bench.a, lan(Setup::holdconn));
    CHECK(bench.effects().empty());
    bench.tell(bench.a, lan(Setup::active, "192.168.10.6:9"));
    CHECK(bench.effects() == "close, close");
    CHECK_FALSE(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
}

TEST_CASE("relay::TcpRelay: time-outs") {
    Bench bench;
    bench.tell(bench.a, lan(Setup::active));
    bench.tell(bench.b, lan(Setup::passive, "192.168.10.9:1503"));
    bench.relay.join(bench.a, bench.b, bench.now);
    bench.pass(59s);
    CHECK(bench.events().empty());
    bench.pass(2s);
    CHECK(bench.events() == "timed-out");
    SUBCASE("one that is up may be idle for hold_timeout") {
        CHECK(bench.relay.on_accepted(bench.a, ep("192.168.10.5:1"), bench.now));
        (void)bench.effects();
        bench.relay.on_connected(bench.dialled, bench.now);
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

namespace {

/// Sockets as a system would have them, driven at random; what must always hold is checked after each step.
class Model {
  public:
    explicit Model(unsigned seed) : random_(seed) {
        for (LegKey key = 1; key <= 4; ++key) relay_.add(key, static_cast<unsigned>(below(3) + 1), now_);
    }

    void step() {
        TcpLeg& leg = *relay_.find(below(4) + 1);
        TcpLeg& other = *relay_.find(below(4) + 1);
        switch (below(12)) {
            case 0: signal(leg); break;
            case 1:
                if (&leg != &other) relay_.join(leg, other, now_);
                break;
            case 2: relay_.part(leg, now_); break;
            case 3:
                now_ += std::chrono::seconds(below(12));
                relay_.on_time(now_);
                break;
            case 4: relay_.set_hold(leg, below(2) == 0, now_); break;
            case 5: relay_.close(leg, now_); break;
            case 6:
            case 7: accept(leg); break;
            case 8:
            case 9: answer(); break;
            default: end(); break;
        }
        carry_out();
        check();
    }

    void finish() {
        for (LegKey key = 1; key <= 4; ++key) relay_.remove(key, now_);
        carry_out();
        CHECK(open_.empty());
        CHECK(relay_.connections().empty());
        CHECK(relay_.join_count() == 0);
    }

  private:
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    void signal(TcpLeg& leg) {
        static constexpr Setup setups[] = {Setup::active, Setup::passive, Setup::actpass, Setup::holdconn};
        const Setup setup = setups[below(4)];
        const std::string address = "192.168.10." + std::to_string(5 + below(2));
        const Party party = below(3) == 0 ? far_end(setup) : lan(setup, (address + ":5000").c_str());
        relay_.signal(leg, party, policy(party), below(4) == 0, now_);
    }

    void accept(TcpLeg& leg) {
        static constexpr const char* sources[] = {"192.168.10.5:1", "192.168.10.6:2", "203.0.113.20:3",
                                                  "198.51.100.9:4"};
        const Endpoint source = ep(sources[below(4)]);
        const auto id = relay_.on_accepted(leg, source, now_);
        if (id) {
            CHECK(leg.allows(source.address));
            open_.insert(*id);
        }
    }

    void answer() {
        if (dialling_.empty()) return;
        const ConnectionId id = *std::next(dialling_.begin(), static_cast<std::ptrdiff_t>(below(dialling_.size())));
        dialling_.erase(id);
        if (below(3) == 0) {
            open_.erase(id);
            relay_.on_failed(id, ConnectFailure::refused, now_);
        } else {
            relay_.on_connected(id, now_);
        }
    }

    /// A connection that waits is lost, or a coupled one ends.
    void end() {
        if (open_.empty()) return;
        const ConnectionId id = *std::next(open_.begin(), static_cast<std::ptrdiff_t>(below(open_.size())));
        if (dialling_.contains(id)) return;
        const TcpConnection* known = relay_.connection(id);
        REQUIRE(known != nullptr);
        if (known->state == TcpConnection::State::coupled) open_.erase(known->other);
        open_.erase(id);
        relay_.on_ended(id, Ending::closed, now_);
    }

    void carry_out() {
        for (const TcpEffect& effect : relay_.take_effects()) {
            switch (effect.kind) {
                case Kind::dial: {
                    CHECK(open_.insert(effect.id).second);
                    dialling_.insert(effect.id);
                    break;
                }
                case Kind::couple:
                    CHECK(open_.contains(effect.id));
                    CHECK(open_.contains(effect.other));
                    break;
                case Kind::close:
                    CHECK(open_.erase(effect.id) == 1);
                    dialling_.erase(effect.id);
                    break;
            }
        }
        (void)relay_.take_events();
    }

    void check() {
        CHECK(open_.size() == relay_.connections().size());
        for (const auto& [id, each] : relay_.connections()) {
            CHECK(open_.contains(id));
            CHECK(std::ranges::count(each.leg->connections, id) == 1);
            CHECK(each.leg->allows(each.remote.address));
            if (each.other == 0) continue;
            const TcpConnection* other = relay_.connection(each.other);
            REQUIRE(other != nullptr);
            CHECK(other->other == id);
            CHECK(other->leg == each.leg->peer());
            const bool coupled = each.state == TcpConnection::State::coupled;
            CHECK(coupled == (other->state == TcpConnection::State::coupled));
            if (!coupled) CHECK(now_ - each.since <= 31s + 12s);
        }
        for (const auto& [key, leg] : relay_.legs()) {
            std::size_t paired = 0;
            for (const ConnectionId id : leg->connections) paired += relay_.connection(id)->other != 0 ? 1 : 0;
            CHECK(paired <= leg->limit);
            CHECK(leg->connections.size() - paired <= max_waiting);
        }
    }

    std::mt19937 random_;
    Instant now_ = start;
    TcpRelay relay_{Timeouts{.silence = 60s, .hold = 2h}};
    std::set<ConnectionId> open_;      ///< sockets that exist
    std::set<ConnectionId> dialling_;  ///< of these
};

}  // namespace

TEST_CASE("relay::TcpRelay: at random, sockets and connections stay one to one") {
    for (unsigned seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        Model model(seed);
        for (int n = 0; n < 1500; ++n) model.step();
        model.finish();
    }
}
