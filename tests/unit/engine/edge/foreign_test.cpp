#include "peers/foreign.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace std::chrono_literals;

TEST_CASE("edge::is_older: as all nodes of a cluster decide it") {
    struct Case {
        const char* why;
        const char* call_id;
        std::uint32_t cseq;
        Duration registered;
        bool older;        ///< than Call-ID x, CSeq 2, of 100 s
        bool other_older;  ///< than this one
    };
    constexpr Case cases[] = {
        {"refreshed since", "x", 1, 200s, true, false},
        {"a refresh", "x", 3, 50s, false, true},
        {"the same, known to two nodes whose clocks differ by some milliseconds", "x", 2, 100s - 3ms, false, false},
        {"of another dialog, and of before", "y", 9, 99s, true, false},
        {"of another dialog, and of later, for however short", "y", 1, 101s, false, true},
    };
    const auto binding = [](const char* call_id, std::uint32_t cseq, Duration registered) {
        sip::Binding one;
        one.call_id = call_id;
        one.cseq = cseq;
        one.registered = WallTime(std::chrono::duration_cast<std::chrono::milliseconds>(registered));
        return one;
    };
    const sip::Binding other = binding("x", 2, 100s);
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const sip::Binding one = binding(c.call_id, c.cseq, c.registered);
        CHECK(edge::is_older(one, other) == c.older);
        CHECK(edge::is_older(other, one) == c.other_older);
    }
}
