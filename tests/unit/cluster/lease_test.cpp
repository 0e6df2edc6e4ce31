#include "natkit/cluster/lease.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::cluster;
using namespace std::chrono_literals;

namespace {

Instant at(Duration time) {
    return Instant(1000s + time);
}

}  // namespace

TEST_CASE("cluster::Lease: counted from before it was asked for") {
    using Grant = Lease::Grant;
    struct Case {
        const char* why;
        Duration asked;
        bool was_there;
        Duration answered;
        Grant want;
        bool held;
    };
    // It was asked for first at 0 s, and given at once.
    constexpr Case cases[] = {
        {"each second", 1s, true, 1010ms, Grant::renewed, true},
        {"just before its end", 3900ms, true, 3999ms, Grant::renewed, true},
        {"the answer comes after its end, and Redis has had it all the time", 3900ms, true, 4100ms, Grant::renewed,
         true},
        {"asked for after its end", 4s, true, 4010ms, Grant::begun, true},
        {"stood still for long: it is asked for again", 60s, false, 60010ms, Grant::begun, true},
        {"Redis has lost it", 1s, false, 1010ms, Grant::begun, true},
        {"the answer was there before it stood still", 1s, true, 60s, Grant::late, false},
        {"an answer that took as long as a lease", 1s, true, 5s, Grant::late, false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Lease lease;
        CHECK_FALSE(lease.held(at(0s)));
        CHECK(lease.granted(at(0s), false, at(5ms)) == Grant::begun);
        CHECK(lease.granted(at(c.asked), c.was_there, at(c.answered)) == c.want);
        CHECK(lease.held(at(c.answered)) == c.held);
    }
}

TEST_CASE("cluster::Lease: what has lapsed says so once, and begins anew") {
    Lease lease;
    CHECK_FALSE(lease.lapses(at(0s)));
    CHECK(lease.granted(at(0s), true, at(1ms)) == Lease::Grant::begun);
    CHECK_FALSE(lease.lapses(at(3999ms)));
    CHECK(lease.held(at(3999ms)));
    CHECK(lease.until() == at(4s));
    CHECK_FALSE(lease.held(at(4s)));
    CHECK(lease.lapses(at(4s)));
    CHECK_FALSE(lease.lapses(at(5s)));
    CHECK(lease.granted(at(3500ms), true, at(5s)) == Lease::Grant::begun);
    lease.lose();
    CHECK_FALSE(lease.held(at(5s)));
    CHECK_FALSE(lease.lapses(at(60s)));
}
