#include "natkit/engine/explain/captures/clocks.hpp"

#include <doctest/doctest.h>

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
