#include "natkit/engine/explain/captures/clocks.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "made.hpp"

using namespace natkit;
using namespace natkit::explain;
using namespace natkit::test;

TEST_CASE("explain::ClockMatch: how far two clocks are apart") {
    struct Packet {
        std::uint64_t number, sender;
        std::int64_t here_ms, there_ms;  ///< there 0: not captured
    };
    struct Case {
        const char* why;
        std::vector<Packet> packets;
        std::optional<std::int64_t> want_ms;
    };
    const std::vector<Case> cases = {
        {"nothing", {}, {}},
        {"too few", {{1, 1, 10, 5010}, {2, 1, 20, 5020}}, {}},
        {"one way", {{1, 1, 10, 5010}, {2, 1, 20, 5020}, {3, 1, 30, 5030}}, 5000},
        {"backwards", {{1, 1, 90'000, 10}, {2, 1, 90'010, 20}, {3, 1, 90'020, 30}}, -89'990},
        {"both ways: 20 ms each are the way, not the clock",
         {{1, 1, 10, 5030}, {2, 1, 20, 5040}, {3, 2, 30, 5010}, {4, 2, 40, 5020}},
         5000},
        {"a sender with one late packet does not count beside one with many",
         {{1, 1, 10, 5010}, {2, 1, 20, 5020}, {3, 1, 30, 5030}, {4, 1, 40, 5040}, {5, 1, 50, 5050}, {6, 2, 60, 5560}},
         5000},
        {"lost on the way", {{1, 1, 10, 5010}, {2, 1, 20, 0}, {3, 1, 30, 5030}, {4, 1, 40, 5040}}, 5000},
        {"they do not agree: the same numbers by chance", {{1, 1, 10, 5010}, {2, 1, 20, 9020}, {3, 1, 30, 40'030}}, {}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        ClockMatch clocks;
        for (const Packet& packet : c.packets) {
            clocks.add_reference(packet.number, packet.sender, packet.here_ms * ms);
            clocks.add_reference(packet.number, packet.sender, (packet.here_ms + 500) * ms);  // sent again
            if (packet.there_ms != 0) clocks.add(packet.number, packet.there_ms * ms);
        }
        const auto offset = clocks.offset();
        REQUIRE(offset.has_value() == c.want_ms.has_value());
        if (offset) CHECK(offset->ns == *c.want_ms * ms);
    }
}

TEST_CASE("explain::ClockMatch: clocks that drift apart over a long call") {
    struct Case {
        const char* why;
        double rate;
        std::int64_t seconds;
        bool told;
    };
    constexpr Case cases[] = {
        {"50 ppm over two hours: 360 ms", 50e-6, 7200, true},
        {"backwards", -80e-6, 3600, true},
        {"they go alike", 0, 3600, false},
        {"too short to tell", 50e-6, 20, false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        ClockMatch clocks;
        const auto there = [&](std::int64_t here_ns) {
            return here_ns + 5000 * ms + static_cast<std::int64_t>(c.rate * static_cast<double>(here_ns));
        };
        // Packets of each sender every half second; each way takes 20 ms, and now and then more.
        for (std::int64_t i = 0; i < 2 * c.seconds; ++i) {
            const std::int64_t at = i * 500 * ms, more = i % 7 == 0 ? 9 * ms : 0;
            clocks.add_reference(static_cast<std::uint64_t>(2 * i), 1, at);
            clocks.add(static_cast<std::uint64_t>(2 * i), there(at + 20 * ms + more));
            clocks.add_reference(static_cast<std::uint64_t>(2 * i + 1), 2, at + 20 * ms + more);
            clocks.add(static_cast<std::uint64_t>(2 * i + 1), there(at));
        }
        const auto offset = clocks.offset();
        REQUIRE(offset);
        CHECK((std::abs(offset->rate) > 1e-6) == c.told);
        if (c.seconds < 60) continue;
        for (const std::int64_t at : {std::int64_t{0}, c.seconds / 2, c.seconds}) {
            const std::int64_t wrong = offset->corrected(there(at * 1000 * ms)) - at * 1000 * ms;
            CHECK(std::abs(wrong) < 3 * ms);
        }
    }
}
