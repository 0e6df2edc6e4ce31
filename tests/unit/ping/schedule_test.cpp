#include "natkit/ping/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>

using namespace natkit;
using namespace std::chrono_literals;
using ping::Grid;
using ping::Schedule;

namespace {

Instant at(Duration since_boot) {
    return Instant(since_boot);
}

/// Runs a schedule from `from` to `to` and gives every ping.
std::map<std::string, std::vector<Instant>> run(Schedule& schedule, Instant from, Instant to) {
    std::map<std::string, std::vector<Instant>> pings;
    for (Instant now = from; now < to;) {
        for (const auto& id : schedule.due(now)) pings[id].push_back(now);
        const auto next = schedule.next_deadline();
        if (!next) break;
        REQUIRE(*next > now);
        now = *next;
    }
    return pings;
}

}  // namespace

TEST_CASE("ping::Schedule: no two pings of a client lie further apart than the interval, and jitter only shortens") {
    for (const Duration interval : {Duration(1s), Duration(25s), Duration(120s)}) {
        CAPTURE(interval.count());
        Schedule schedule({.clients = 1000});
        const Instant start = at(1000h);
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(schedule.add("client" + std::to_string(i), Grid(interval), start) == Schedule::Added::added);
        }
        const auto pings = run(schedule, start, start + 20 * interval);
        CHECK(pings.size() == 1000);
        Duration shortest = interval * 2;
        Duration longest{};
        Duration first{};
        for (const auto& [id, times] : pings) {
            first = std::max(first, times.front() - start);
            for (std::size_t i = 1; i < times.size(); ++i) {
                shortest = std::min(shortest, times[i] - times[i - 1]);
                longest = std::max(longest, times[i] - times[i - 1]);
            }
        }
        CHECK(first <= interval);
        CHECK(longest <= interval);
        CHECK(shortest >= interval / 100 * 88);
    }
}

TEST_CASE("ping::Schedule: 50,000 clients are spread evenly, and a burst has a limit") {
    Schedule schedule({.clients = 50'000});
    const Instant start = at(5h);
    for (int i = 0; i < 50'000; ++i) {
        static_cast<void>(schedule.add("sip:user" + std::to_string(i) + "@example.com", Grid(25s), start));
    }
    std::map<std::int64_t, std::size_t> per_second;
    std::map<std::int64_t, std::size_t> per_tick;
    for (const auto& [id, times] : run(schedule, start, start + 60s)) {
        for (const Instant when : times) {
            ++per_second[(when - start) / 1s];
            ++per_tick[(when - start) / 10ms];
        }
    }
    const auto most = [](const auto& counts) {
        return std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; })->second;
    };
    // The even share is 2128 a second, 21.3 in 10 ms.
    CHECK(most(per_second) < 2400);
    CHECK(most(per_tick) <= 2 * schedule.full_burst());
    CHECK(schedule.full_burst() <= 4 * 22);
}

TEST_CASE("ping::Schedule: a restart pings nobody twice and leaves nobody out") {
    const Instant start = at(7h);
    Schedule whole({.clients = 500});
    Schedule before({.clients = 500});
    Schedule after({.clients = 500});
    for (int i = 0; i < 500; ++i) {
        static_cast<void>(whole.add("c" + std::to_string(i), Grid(25s), start));
        static_cast<void>(before.add("c" + std::to_string(i), Grid(25s), start));
    }
    const Instant killed = start + 33s;
    const Instant back = killed + 700ms;
    auto pings = run(before, start, killed);
    for (int i = 0; i < 500; ++i) {
        static_cast<void>(after.add("c" + std::to_string(i), Grid(25s), back, killed));
    }
    for (auto& [id, times] : run(after, back, start + 100s))
        pings[id].insert(pings[id].end(), times.begin(), times.end());
    const auto undisturbed = run(whole, start, start + 100s);
    for (const auto& [id, times] : undisturbed) {
        CAPTURE(id);
        CHECK(pings[id].size() == times.size());
        for (std::size_t i = 1; i < pings[id].size(); ++i) CHECK(pings[id][i] - pings[id][i - 1] <= 25s + 700ms);
    }
}

TEST_CASE("ping::Schedule: the limit refuses, a removal makes room") {
    Schedule schedule({.clients = 1});
    const Instant now = at(1h);
    CHECK(schedule.add("a", Grid(25s), now) == Schedule::Added::added);
    CHECK(schedule.add("a", Grid(25s), now) == Schedule::Added::known);
    CHECK(schedule.add("b", Grid(25s), now) == Schedule::Added::refused);
    CHECK(schedule.remove("a"));
    CHECK_FALSE(schedule.remove("a"));
    CHECK(schedule.add("b", Grid(25s), now) == Schedule::Added::added);
    const auto pings = run(schedule, now, now + 60s);
    CHECK_FALSE(pings.contains("a"));
    CHECK(pings.at("b").size() >= 2);
}

TEST_CASE("ping::Schedule: a shorter interval takes effect at once, a longer one never stretches a gap") {
    const Instant start = at(2h);
    Schedule schedule({.clients = 200});
    for (int i = 0; i < 200; ++i) static_cast<void>(schedule.add("c" + std::to_string(i), Grid(60s), start));
    auto pings = run(schedule, start, start + 90s);
    for (int i = 0; i < 200; ++i) schedule.change("c" + std::to_string(i), Grid(10s), start + 90s);
    for (auto& [id, times] : run(schedule, start + 90s, start + 150s)) {
        CHECK(times.front() - pings.at(id).back() <= 60s);
        CHECK(times.front() <= start + 100s);
        for (std::size_t i = 1; i < times.size(); ++i) CHECK(times[i] - times[i - 1] <= 10s);
    }
}

TEST_CASE("ping::Schedule: what could not be sent is tried again without losing its place") {
    Schedule schedule({.clients = 1});
    Instant now = at(1h);
    static_cast<void>(schedule.add("a", Grid(25s), now));
    now = schedule.next_deadline().value();
    REQUIRE(schedule.due(now).size() == 1);
    const Instant first = now;
    schedule.retry_at("a", now + 100ms);
    now = schedule.next_deadline().value();
    CHECK(now == first + 100ms);
    CHECK(schedule.due(now).size() == 1);
    const auto pings = run(schedule, now, first + 26s);
    CHECK(pings.at("a").size() == 1);
}

TEST_CASE("ping::Schedule: the burst follows the intervals that are in use") {
    Schedule schedule({.clients = 20'000});
    const Instant now = at(1h);
    for (int i = 0; i < 10'000; ++i) static_cast<void>(schedule.add("c" + std::to_string(i), Grid(25s), now));
    const std::size_t calm = schedule.full_burst();
    static_cast<void>(schedule.add("fast", Grid(1s), now));
    CHECK(schedule.full_burst() > calm);
    schedule.change("fast", Grid(25s), now);
    CHECK(schedule.full_burst() == calm);
    static_cast<void>(schedule.add("faster", Grid(1s), now));
    CHECK(schedule.remove("faster"));
    CHECK(schedule.full_burst() == calm);
}
