#include "natkit/base/recent.hpp"

#include <doctest/doctest.h>

#include <string>

using natkit::Recent;

TEST_CASE("Recent: the one not touched for longest gives way") {
    Recent<int, std::string> recent(3);
    recent.touch(1) = "1";
    recent.touch(2) = "2";
    recent.touch(3) = "3";
    CHECK(*recent.find(1) == "1");
    CHECK(recent.touch(1) == "1");
    recent.touch(4) = "4";
    CHECK(recent.size() == 3);
    CHECK(recent.find(2) == nullptr);
    CHECK(*recent.find(1) == "1");
    recent.erase(3);
    recent.erase(3);
    CHECK(recent.size() == 2);
    CHECK(recent.touch(3).empty());
    for (int key = 0; key < 1000; ++key) recent.touch(key);
    CHECK(recent.size() == 3);
    CHECK(recent.find(999) != nullptr);
}
