#include "natkit/cluster/protection.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::cluster;
using namespace std::chrono_literals;

namespace {

Instant at(Duration since) {
    return Instant{} + since;
}

}  // namespace

TEST_CASE("cluster::Protection: the lag, from the arrival until a standby has it") {
    Protection protection(at(0s));
    // What came before there was a standby has no lag.
    const std::vector<Instant> old = {at(0s)};
    protection.acknowledged("b", old, at(100s));
    CHECK(protection.standbys().empty());
    protection.heard("b", at(100s));
    protection.acknowledged("b", old, at(100s));
    CHECK_FALSE(protection.last_lag());
    for (int i = 0; i < 99; ++i) {
        const std::vector<Instant> one = {at(100s)};
        protection.acknowledged("b", one, at(100s + 10ms));
    }
    CHECK(protection.last_lag() == Duration(10ms));
    CHECK(protection.lag_p99(at(101s)) == Duration(10ms));
    const std::vector<Instant> two = {at(100s), at(100s)};
    protection.acknowledged("b", two, at(100s + 300ms));
    CHECK(protection.lag_p99(at(101s)) == Duration(300ms));
    CHECK(protection.standbys().at("b").lag == Duration(300ms));
    // After a minute it is forgotten.
    CHECK_FALSE(protection.lag_p99(at(161s)));
}

TEST_CASE("cluster::Protection: how long something has been without protection") {
    Protection protection(at(0s));
    protection.update({}, true, at(5s));
    CHECK(protection.unprotected(at(5s)) == Duration(5s));
    protection.heard("b", at(6s));
    protection.update({}, true, at(6s));
    CHECK(protection.unprotected(at(6s)) == Duration::zero());
    // What is on its way is no fault, until it is late.
    protection.update(at(6s), true, at(7s));
    CHECK(protection.unprotected(at(7s)) == Duration::zero());
    protection.heard("b", at(7s));
    protection.update(at(6s), true, at(8s));
    CHECK(protection.unprotected(at(8s)) == Duration(2s));
    protection.update({}, true, at(9s));
    CHECK(protection.unprotected(at(9s)) == Duration::zero());
    // Redis is lost.
    protection.update({}, false, at(10s));
    CHECK(protection.unprotected(at(12s)) == Duration(2s));
    protection.update({}, true, at(12s));
    CHECK(protection.unprotected(at(12s)) == Duration::zero());
    // The standby falls silent.
    protection.acknowledged("b", {}, at(12s));  // which is no word of it
    protection.update({}, true, at(12s + 1ms));
    CHECK(protection.standbys().empty());
    CHECK(protection.unprotected(at(13s)) > Duration::zero());
}
