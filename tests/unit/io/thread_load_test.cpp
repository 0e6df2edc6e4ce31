#include "natkit/io/thread_load.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>

using namespace natkit;

namespace {

using std::chrono::milliseconds;

milliseconds own_cpu() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return milliseconds(used.tv_sec * 1000 + used.tv_nsec / 1'000'000);
}

}  // namespace

TEST_CASE("io::ThreadLoad: a thread that never rests is seen, whatever the others do") {
    io::ThreadLoad load;
    Instant now = std::chrono::time_point_cast<Duration>(Instant::clock::now());
    CHECK_FALSE(load.busiest(now));
    const auto idle = load.busiest(now += std::chrono::seconds(10));
    if (!idle) return;  // this kernel does not tell
    CHECK(*idle < 0.5);
    std::atomic<bool> begun = false;
    std::atomic<bool> looked = false;
    std::atomic<bool> worked = false;
    std::atomic<bool> stop = false;
    std::thread busy([&] {
        begun = true;
        begun.notify_one();
        looked.wait(false);
        while (own_cpu() < milliseconds(300)) {
        }
        worked = true;
        worked.notify_one();
        stop.wait(false);  // one that has ended is not told of
    });
    begun.wait(false);
    (void)load.busiest(now);
    looked = true;
    looked.notify_one();
    worked.wait(false);
    const auto most = load.busiest(now += milliseconds(300));
    stop = true;
    stop.notify_one();
    busy.join();
    REQUIRE(most);
    CHECK(*most > 0.8);
}
