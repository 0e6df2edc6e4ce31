#include "natkit/io/random.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace natkit::io;

TEST_CASE("io::Random: numbers differ, within a block, beyond it, and from another's") {
    Random one;
    Random other;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) {
        seen.insert(std::uint64_t{one()} << 32 | one());
        seen.insert(std::uint64_t{other()} << 32 | other());
    }
    CHECK(seen.size() == 2000);
}
