#include "natkit/proxy/challenges.hpp"

#include <doctest/doctest.h>

using natkit::proxy::Challenges;

TEST_CASE("Challenges: a nonce counts for whom it was given, at the server that gave it") {
    Challenges known;
    known.note("a.example", "n", "bob@a.example", "s");
    CHECK(known.knows("a.example", "n", "bob@a.example", "s"));
    CHECK_FALSE(known.knows("a.example", "n", "eve@a.example", "s"));
    CHECK_FALSE(known.knows("a.example", "n", "bob@a.example", "t"));  // it was never sent there
    CHECK_FALSE(known.knows("b.example", "n", "bob@a.example", "s"));
    CHECK_FALSE(known.knows("a.example", "m", "bob@a.example", "s"));
    known.note("a.example", "", "bob@a.example", "s");
    CHECK_FALSE(known.knows("a.example", "", "bob@a.example", "s"));
    known.note("a.example", "n", "eve@a.example", "s");  // the same nonce for everybody: the last one it was for
    CHECK(known.knows("a.example", "n", "eve@a.example", "s"));
    CHECK_FALSE(known.knows("a.example", "n", "bob@a.example", "s"));
}

TEST_CASE("Challenges: bounded, the oldest go first") {
    Challenges known(3);
    for (const char* nonce : {"1", "2", "3", "4"}) known.note("d", nonce, "u", "s");
    known.note("d", std::string(10'000, 'x'), "u", "s");
    CHECK(known.size() == 3);
    CHECK_FALSE(known.knows("d", "1", "u", "s"));
    CHECK(known.knows("d", "2", "u", "s"));
    CHECK(known.knows("d", "4", "u", "s"));
}
