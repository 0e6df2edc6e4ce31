#include "restart.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace std::chrono_literals;
using supervise::Restart;

TEST_CASE("supervise::Restart: at once after a life, slower and slower after young deaths, and never given up") {
    Restart restart;
    Instant now{Duration(1h)};
    for (int i = 0; i < 100; ++i) {  // killed every few seconds: always at once
        restart.on_ready(now);
        now += 2s;
        CHECK(restart.on_death(now) == Restart::first_delay);
    }
    Duration last{};
    for (unsigned i = 1; i < 1000; ++i) {
        restart.on_ready(now);
        const Duration delay = restart.on_death(now + 100ms);
        CHECK(delay >= last);
        CHECK(delay <= Restart::longest_delay);
        CHECK(restart.young_deaths() == i);
        last = delay;
    }
    CHECK(last == 60s);
    restart.reset();
    CHECK(restart.on_death(now) == Restart::first_delay);
}

TEST_CASE("supervise::Restart: a worker that never serves is young however long it took; one life makes all good") {
    Restart restart;
    Instant now{Duration(1h)};
    for (unsigned i = 1; i < 20; ++i) {
        now += 60s;
        static_cast<void>(restart.on_death(now));
    }
    CHECK(restart.on_death(now + 60s) == Restart::longest_delay);
    restart.on_ready(now);
    CHECK(restart.on_death(now + Restart::young) == Restart::first_delay);
    CHECK(restart.young_deaths() == 0);
}
