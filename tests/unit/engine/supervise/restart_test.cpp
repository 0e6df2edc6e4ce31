#include "natkit/engine/supervise/restart.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace std::chrono_literals;
using supervise::Restart;

TEST_CASE("supervise::Restart: at once after a life, slower and slower after young deaths, then never") {
    Restart restart;
    Instant now{Duration(1h)};
    for (int i = 0; i < 100; ++i) {  // killed every few seconds: always at once
        restart.on_ready(now);
        now += 2s;
        CHECK(restart.on_death(now) == Restart::first_delay);
    }
    Duration last{};
    for (unsigned i = 1; i < Restart::most_young_deaths; ++i) {
        restart.on_ready(now);
        const auto delay = restart.on_death(now + 100ms);
        REQUIRE(delay);
        CHECK(*delay >= last);
        CHECK(*delay <= Restart::longest_delay);
        last = *delay;
    }
    CHECK_FALSE(restart.on_death(now));
    restart.reset();
    CHECK(restart.on_death(now) == Restart::first_delay);
}

TEST_CASE("supervise::Restart: a worker that never serves is young however long it took") {
    Restart restart;
    Instant now{Duration(1h)};
    for (unsigned i = 1; i < Restart::most_young_deaths; ++i) {
        now += 60s;
        CHECK(restart.on_death(now));
    }
    CHECK_FALSE(restart.on_death(now + 60s));
}
