#include "natkit/relay/relay.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "tcp_parties.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace natkit::relay::parties;
using namespace std::chrono_literals;
using Kind = TcpEffect::Kind;
using sdp::Setup;

namespace {

/// Sockets as a system would have them, driven at random; what must always hold is checked after each step.
class Model {
  public:
    explicit Model(unsigned seed) : random_(seed) {
        for (LegKey key = 1; key <= 4; ++key) relay_.tcp.add(key, static_cast<unsigned>(below(3) + 1), now_);
    }

    void step() {
        TcpLeg& leg = *as_tcp(relay_.legs.find(below(4) + 1));
        TcpLeg& other = *as_tcp(relay_.legs.find(below(4) + 1));
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
            case 5: relay_.tcp.end_connections(leg, now_); break;
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
        CHECK(relay_.tcp.connections().empty());
        CHECK(relay_.legs.joins().size() == 0);
    }

  private:
    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    void signal(TcpLeg& leg) {
        static constexpr Setup setups[] = {Setup::active, Setup::passive, Setup::actpass, Setup::holdconn};
        const Setup setup = setups[below(4)];
        const std::string address = "192.168.10." + std::to_string(5 + below(2));
        const Party party = below(3) == 0 ? far_end(setup) : lan(setup, (address + ":5000").c_str());
        relay_.signal(leg, party, policy(party), now_, below(4) == 0);
    }

    void accept(TcpLeg& leg) {
        static constexpr const char* sources[] = {"192.168.10.5:1", "192.168.10.6:2", "203.0.113.20:3",
                                                  "198.51.100.9:4"};
        const Endpoint source = ep(sources[below(4)]);
        const auto id = relay_.tcp.on_accepted(leg, source, now_);
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
            relay_.tcp.on_failed(id, ConnectFailure::refused, now_);
        } else {
            relay_.tcp.on_connected(id, now_);
        }
    }

    /// A connection that waits is lost, or a coupled one ends.
    void end() {
        if (open_.empty()) return;
        const ConnectionId id = *std::next(open_.begin(), static_cast<std::ptrdiff_t>(below(open_.size())));
        if (dialling_.contains(id)) return;
        const TcpConnection* known = relay_.tcp.connection(id);
        REQUIRE(known != nullptr);
        if (known->state == TcpConnection::State::coupled) open_.erase(known->other);
        open_.erase(id);
        relay_.tcp.on_ended(id, Ending::closed, now_);
    }

    void carry_out() {
        for (const TcpEffect& effect : relay_.tcp.take_effects()) {
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
        (void)relay_.legs.take_events();
    }

    void check() {
        CHECK(open_.size() == relay_.tcp.connections().size());
        for (const auto& [id, each] : relay_.tcp.connections()) {
            CHECK(open_.contains(id));
            CHECK(std::ranges::count(each.leg->connections, id) == 1);
            CHECK(each.leg->allows(each.remote.address));
            if (each.other == 0) continue;
            const TcpConnection* other = relay_.tcp.connection(each.other);
            REQUIRE(other != nullptr);
            CHECK(other->other == id);
            CHECK(other->leg == each.leg->peer());
            const bool coupled = each.state == TcpConnection::State::coupled;
            CHECK(coupled == (other->state == TcpConnection::State::coupled));
            if (!coupled) CHECK(now_ - each.since <= 31s + 12s);
        }
        for (const auto& [key, each] : relay_.legs.legs()) {
            const TcpLeg* leg = as_tcp(each.get());
            std::size_t paired = 0;
            for (const ConnectionId id : leg->connections) paired += relay_.tcp.connection(id)->other != 0 ? 1 : 0;
            CHECK(paired <= leg->limit);
            CHECK(leg->connections.size() - paired <= max_waiting);
        }
    }

    std::mt19937 random_;
    Instant now_ = start;
    Relay relay_{Timeouts{.silence = 60s, .hold = 2h}};
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
