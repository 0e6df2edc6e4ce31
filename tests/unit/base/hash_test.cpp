#include "natkit/base/hash.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("hash::fnv: the test vectors of FNV-1a, 64 bits") {
    CHECK(hash::fnv(hash::fnv_basis, "") == 0xcbf29ce484222325);
    CHECK(hash::fnv(hash::fnv_basis, "a") == 0xaf63dc4c8601ec8c);
    CHECK(hash::fnv(hash::fnv_basis, "foobar") == 0x85944171f73967e8);
    CHECK(hash::fnv(hash::fnv_basis, 'a') == hash::fnv(hash::fnv_basis, "a"));
}

TEST_CASE("hash::mix: the first numbers of splitmix64 from seed 0") {
    CHECK(hash::mix(hash::golden) == 0xe220a8397b1dcdaf);
    CHECK(hash::mix(2 * hash::golden) == 0x6e789e6aa1b965f4);
}
