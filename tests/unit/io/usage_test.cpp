#include "natkit/io/usage.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <limits>
#include <string>

using namespace natkit;
using namespace std::chrono_literals;

TEST_CASE("io::usage_of: the time and memory of a process, this one too, grow with what it does") {
    const auto before = io::usage_of();
    REQUIRE(before.has_value());
    CHECK(before->memory_bytes > 100'000);
    const std::string taken(64 << 20, 'x');
    std::optional<io::Usage> now = before;
    std::uint64_t sum = 0;
    for (unsigned round = 0; round < 10'000 && now->cpu < before->cpu + 20ms; ++round) {
        for (const char c : taken.substr(0, 1 << 20)) sum = sum * 31 + static_cast<unsigned char>(c);
        now = io::usage_of(::getpid());
        REQUIRE(now.has_value());
    }
    CHECK(sum != 0);
    CHECK(now->cpu >= before->cpu + 20ms);
    CHECK(now->cpu < before->cpu + 60s);
    CHECK(now->memory_bytes > before->memory_bytes + (32 << 20));
    CHECK_FALSE(io::usage_of(std::numeric_limits<pid_t>::max()).has_value());
}
