#include "natkit/io/thread_load.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

using namespace natkit;

TEST_CASE("io::ThreadLoad: a thread that never rests is seen, whatever the others do") {
    io::ThreadLoad load;
    const auto now = [] { return std::chrono::time_point_cast<Duration>(Instant::clock::now()); };
    CHECK_FALSE(load.busiest(now()));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const auto idle = load.busiest(now());
    if (!idle) return;  // this kernel does not tell
    CHECK(*idle < 0.5);
    std::atomic<bool> stop = false;
    std::thread busy([&] {
        while (!stop) {
        }
    });
    (void)load.busiest(now());
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const auto most = load.busiest(now());
    stop = true;
    busy.join();
    REQUIRE(most);
    CHECK(*most > 0.8);
}
