#include "natkit/ping/lease.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace std::chrono_literals;
using ping::Lease;

namespace {

const Instant start{3h};

/// Looks each second as long as it may run; gives what the last look said.
bool run(Lease& lease, Instant& now, Duration length) {
    bool may = false;
    for (const Instant end = now + length; now < end;) {
        now += 1s;
        may = lease.may_ping(now);
    }
    return may;
}

}  // namespace

TEST_CASE("ping::Lease: nobody is pinged before the first lease nor after the last one") {
    Lease lease(start);
    CHECK_FALSE(lease.may_ping(start));
    lease.extend(start + 4s);
    CHECK(lease.may_ping(start + 3999ms));
    CHECK_FALSE(lease.may_ping(start + 4s));
    lease.extend(start + 6s);
    CHECK(lease.may_ping(start + 5s));
}

TEST_CASE("ping::Lease: what was said before it stood still does not count") {
    Lease lease(start);
    Instant now = start;
    lease.extend(now + 4s);
    REQUIRE(run(lease, now, 2s));
    now += 60s;
    // Commands that waited in the socket meanwhile.
    lease.extend(start + 30s);
    CHECK_FALSE(lease.may_ping(now));
    lease.extend(now + 3s);
    CHECK(lease.may_ping(now));
}

TEST_CASE("ping::Lease: one that stood still for less than its lease goes on") {
    Lease lease(start);
    lease.extend(start + 4s);
    CHECK(lease.may_ping(start + 100ms));
    CHECK(lease.may_ping(start + 3900ms));
}

TEST_CASE("ping::Lease: an older end that arrives later shortens nothing") {
    Lease lease(start);
    lease.extend(start + 8s);
    lease.extend(start + 4s);
    CHECK(lease.may_ping(start + 5s));
}

TEST_CASE("ping::Lease: where nobody speaks of leases any more it pings again") {
    Lease lease(start);
    Instant now = start;
    CHECK_FALSE(run(lease, now, 9s));
    CHECK(run(lease, now, 1s));
    // It stood still: whoever has the clients by now is asked again, for as long.
    now += 60s;
    CHECK_FALSE(lease.may_ping(now));
    CHECK_FALSE(run(lease, now, 9s));
    CHECK(run(lease, now, 1s));
    // Time in which it stood still is not time in which it has heard of no lease.
    lease.extend(now + 4s);
    REQUIRE(run(lease, now, 1s));
    CHECK_FALSE(run(lease, now, 4s));
    now += 20s;
    CHECK_FALSE(lease.may_ping(now));
}
