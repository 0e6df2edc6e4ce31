#include "natkit/relay/ports.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

Ports::Random seeded(unsigned seed) {
    return [engine = std::mt19937(seed)](std::uint32_t below) mutable {
        return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(engine);
    };
}
constexpr Instant start{1000s};

}  // namespace

TEST_CASE("relay::PortRange::parse") {
    struct Case {
        const char* text;
        bool good;
        std::size_t ports;
    };
    constexpr Case cases[] = {
        {"16384-32767", true, 16384},
        {"4000-4001", true, 2},
        {" 4000 - 4003 ", true, 4},
        {"4001-4004", true, 2},
        {"1-65535", true, 65534},
        {"4000", false, 0},
        {"4000-4000", false, 0},
        {"4001-4002", false, 0},
        {"5000-4000", false, 0},
        {"0-10", false, 0},
        {"1-65536", false, 0},
        {"a-b", false, 0},
        {"", false, 0},
        {"-", false, 0},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        const auto range = PortRange::parse(c.text);
        REQUIRE(range.has_value() == c.good);
        if (c.good) CHECK(Ports(*range).total() == c.ports);
    }
}

TEST_CASE("relay::Ports: pairs are even, distinct, at random; a spent range says so and recovers") {
    Ports ports({20000, 20099});
    auto random = seeded(1);
    std::set<std::uint16_t> taken;
    std::vector<std::uint16_t> order;
    for (int i = 0; i < 50; ++i) {
        const auto port = ports.take(Ports::Kind::pair, start, random);
        REQUIRE(port.has_value());
        CHECK(*port % 2 == 0);
        CHECK(taken.insert(*port).second);
        order.push_back(*port);
    }
    CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
    const auto none = ports.take(Ports::Kind::pair, start, random);
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().code == Errc::exhausted);
    CHECK(none.error().message == "all 100 ports are in use");
    CHECK_FALSE(ports.take(Ports::Kind::single, start, random).has_value());

    ports.give_back(Ports::Kind::pair, order[7], start);
    CHECK(ports.take(Ports::Kind::pair, start + 500ms, random).error().message ==
          "no port is free: 98 of 100 in use, 2 cooling down, the first for another 1500ms");
    CHECK(ports.take(Ports::Kind::pair, start + 2s, random) == order[7]);
    CHECK(ports.in_use() == 100);
}

TEST_CASE("relay::Ports: 10 s of cool-down, the oldest first; 2 s when fewer than a tenth are free") {
    Ports ports({20000, 20039});  // 20 pairs
    auto random = seeded(2);
    std::vector<std::uint16_t> taken;
    for (int i = 0; i < 15; ++i) taken.push_back(ports.take(Ports::Kind::pair, start, random).value());
    ports.give_back(Ports::Kind::pair, taken[0], start);
    CHECK(ports.free() == 10);
    CHECK(ports.take(Ports::Kind::pair, start + 9s, random) != taken[0]);
    CHECK(ports.cooling() == 2);
    (void)ports.take(Ports::Kind::pair, start + 10s, random);
    CHECK(ports.cooling() == 0);
    for (int i = 0; i < 4; ++i) (void)ports.take(Ports::Kind::pair, start + 10s, random);
    CHECK(ports.free() == 0);
    ports.give_back(Ports::Kind::pair, taken[1], start + 10s);
    ports.give_back(Ports::Kind::pair, taken[2], start + 11s);
    CHECK(ports.take(Ports::Kind::pair, start + 12s, random) == taken[1]);
    CHECK_FALSE(ports.take(Ports::Kind::pair, start + 12s, random).has_value());
    CHECK(ports.take(Ports::Kind::pair, start + 13s, random) == taken[2]);
}

TEST_CASE("relay::Ports: a pair comes free as a pair, in the smallest range too") {
    Ports ports({20000, 20003});
    auto random = seeded(6);
    for (int i = 0; i < 2; ++i) (void)ports.take(Ports::Kind::pair, start, random);
    ports.give_back(Ports::Kind::pair, 20000, start);
    ports.give_back(Ports::Kind::pair, 20002, start);
    CHECK_FALSE(ports.take(Ports::Kind::pair, start + 1999ms, random).has_value());
    CHECK(ports.take(Ports::Kind::pair, start + 2s, random) == 20000);
}

TEST_CASE("relay::Ports: single ports fill halves before they break pairs") {
    Ports ports({20000, 20005});
    auto random = seeded(3);
    const auto a = ports.take(Ports::Kind::single, start, random).value();
    const auto b = ports.take(Ports::Kind::single, start, random).value();
    CHECK((a ^ 1) == b);
    CHECK(ports.take(Ports::Kind::pair, start, random).has_value());
    CHECK(ports.take(Ports::Kind::pair, start, random).has_value());
    ports.give_back(Ports::Kind::single, a, start);
    ports.give_back(Ports::Kind::single, b, start);
    CHECK(ports.take(Ports::Kind::pair, start + 10s, random) == std::min(a, b));
}

TEST_CASE("relay::Ports: a certain port") {
    Ports ports({20000, 20003});
    auto random = seeded(4);
    CHECK(ports.take_exactly(Ports::Kind::pair, 20002));
    CHECK_FALSE(ports.take_exactly(Ports::Kind::pair, 20002));
    CHECK_FALSE(ports.take_exactly(Ports::Kind::single, 20003));
    CHECK_FALSE(ports.take_exactly(Ports::Kind::pair, 20001));
    CHECK_FALSE(ports.take_exactly(Ports::Kind::pair, 20004));
    CHECK_FALSE(ports.take_exactly(Ports::Kind::single, 65535));
    CHECK_FALSE(ports.take_exactly(Ports::Kind::single, 19999));
    ports.give_back(Ports::Kind::pair, 20002, start);
    CHECK(ports.take_exactly(Ports::Kind::pair, 20002));  // while it cools down
    CHECK(ports.cooling() == 0);
    CHECK(ports.take(Ports::Kind::pair, start, random) == 20000);
}

TEST_CASE("relay::Ports: a long life of takes and returns loses no port") {
    Ports ports({20000, 20199});
    auto random = seeded(5);
    std::vector<std::pair<Ports::Kind, std::uint16_t>> held;
    Instant now = start;
    for (int i = 0; i < 20000; ++i, now += 20ms) {
        if (random(2) == 0) {
            const auto kind = random(3) == 0 ? Ports::Kind::single : Ports::Kind::pair;
            if (const auto port = ports.take(kind, now, random)) held.emplace_back(kind, *port);
        } else if (!held.empty()) {
            const std::size_t which = random(static_cast<std::uint32_t>(held.size()));
            ports.give_back(held[which].first, held[which].second, now);
            held[which] = held.back();
            held.pop_back();
        }
    }
    for (const auto& [kind, port] : held) ports.give_back(kind, port, now);
    CHECK(ports.in_use() == 0);
    now += 10s;
    for (int i = 0; i < 100; ++i) REQUIRE(ports.take(Ports::Kind::pair, now, random).has_value());
    CHECK(ports.free() == 0);
}
