#include "transport/cookies.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::ng;
using namespace std::chrono_literals;

TEST_CASE("ng: a repeated cookie gets the same reply, and nothing is done twice") {
    Cookies cookies;
    const Instant start{};
    std::string first;
    std::string second;
    const auto into = [](std::string& to) { return [&to](const std::string& reply) { to += reply; }; };
    CHECK(cookies.begin("1", into(first), start));
    SUBCASE("while it is being done the copy waits") {
        CHECK_FALSE(cookies.begin("1", into(second), start + 1s));
        CHECK(second.empty());
        cookies.answered("1", "done");
        CHECK(first == "done");
        CHECK(second == "done");
    }
    SUBCASE("for 60 s it is answered from memory") {
        cookies.answered("1", "done");
        CHECK_FALSE(cookies.begin("1", into(second), start + 59s));
        CHECK(second == "done");
        CHECK(cookies.begin("1", into(second), start + 60s));
    }
    SUBCASE("another cookie is another request") {
        cookies.answered("1", "done");
        CHECK(cookies.begin("2", into(second), start));
        CHECK(second.empty());
    }
    SUBCASE("a second answer goes nowhere") {
        cookies.answered("1", "done");
        cookies.answered("1", "again");
        CHECK(first == "done");
    }
}

TEST_CASE("ng: what is remembered of cookies is bounded") {
    Cookies cookies;
    const auto nobody = [](const std::string&) {};
    SUBCASE("in number") {
        for (int i = 0; i < 70'000; ++i) {
            REQUIRE(cookies.begin(std::to_string(i), nobody, Instant{}));
            cookies.answered(std::to_string(i), "d6:result2:oke");
        }
        CHECK(cookies.size() <= 65'536);
    }
    SUBCASE("in bytes") {
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(cookies.begin(std::to_string(i), nobody, Instant{}));
            cookies.answered(std::to_string(i), std::string(60'000, 'x'));
        }
        CHECK(cookies.size() <= 300);
    }
}
