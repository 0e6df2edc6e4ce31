#include <doctest/doctest.h>

#include "login/sessions.hpp"
#include "login/throttle.hpp"

using namespace natkit;
using namespace natkit::web;
using namespace std::chrono_literals;

namespace {

LoginThrottle::Attempt attempt(const char* source, const char* user = "alice", const char* browser = "") {
    return {.user = user, .source = IpAddress::parse(source).value(), .known_browser = browser};
}

Sessions::Session session(const char* user, Instant at) {
    return {.user = user, .password = "r", .csrf = "c", .name = user, .begun = at, .used = at};
}

}  // namespace

TEST_CASE("web::LoginThrottle: each mistake makes its source wait longer") {
    LoginThrottle throttle;
    Instant now{1h};
    for (unsigned i = 0; i < LoginThrottle::free_mistakes; ++i) {
        CHECK(throttle.look(attempt("192.0.2.1"), now).wait == 0s);
        throttle.failed(attempt("192.0.2.1"), now);
    }
    CHECK(throttle.look(attempt("192.0.2.1"), now).wait == 0s);
    for (const Duration want : {Duration(1s), Duration(2s), Duration(4s), Duration(8s), Duration(16s), Duration(32s),
                                Duration(60s), Duration(60s)}) {
        throttle.failed(attempt("192.0.2.1"), now);
        CHECK(throttle.look(attempt("192.0.2.1"), now).wait == want);
        CHECK(throttle.look(attempt("192.0.2.1", "bob"), now).wait == want);  // whoever he tries to be
        CHECK(throttle.look(attempt("192.0.2.2"), now).wait == 0s);           // others are not locked out
        now += want;
        CHECK(throttle.look(attempt("192.0.2.1"), now).wait == 0s);
    }
    now += LoginThrottle::forgotten_after;
    throttle.failed(attempt("192.0.2.1"), now);
    CHECK(throttle.look(attempt("192.0.2.1"), now).wait == 0s);
}

TEST_CASE("web::LoginThrottle: an IPv6 source is its /64") {
    LoginThrottle throttle;
    const Instant now{1h};
    for (int i = 0; i < 10; ++i) throttle.failed(attempt(("2001:db8::" + std::to_string(i + 1)).c_str()), now);
    CHECK(throttle.look(attempt("2001:db8::ffff"), now).wait > 0s);
    CHECK(throttle.look(attempt("2001:db8:0:1::1"), now).wait == 0s);
}

TEST_CASE("web::LoginThrottle: a user whom many guess at is delayed, not locked out; his own browser is not") {
    LoginThrottle throttle;
    const Instant now{1h};
    for (int i = 0; i < 200; ++i) throttle.failed(attempt(("198.51.100." + std::to_string(i)).c_str()), now);
    const auto stranger = throttle.look(attempt("203.0.113.1"), now);
    CHECK(stranger.wait == 0s);
    CHECK(stranger.delay == LoginThrottle::longest_delay);
    CHECK(throttle.look(attempt("203.0.113.1", "bob"), now).delay == 0s);
    // Even from an address that guesses.
    for (int i = 0; i < 20; ++i) throttle.failed(attempt("203.0.113.1"), now);
    const auto own = throttle.look(attempt("203.0.113.1", "alice", "b1"), now);
    CHECK(own.wait == 0s);
    CHECK(own.delay == 0s);
    // A browser that was stolen is slowed as well.
    for (int i = 0; i < 20; ++i) throttle.failed(attempt("203.0.113.9", "alice", "b1"), now);
    CHECK(throttle.look(attempt("192.0.2.7", "alice", "b1"), now).wait == LoginThrottle::longest_wait);
}

TEST_CASE("web::LoginThrottle: success forgives its source; memory is bounded") {
    LoginThrottle throttle;
    Instant now{1h};
    for (int i = 0; i < 8; ++i) throttle.failed(attempt("192.0.2.1"), now);
    throttle.succeeded(attempt("192.0.2.1"));
    CHECK(throttle.look(attempt("192.0.2.1"), now).wait == 0s);
    for (std::uint32_t i = 0; i < 30'000; ++i) {
        throttle.failed({.user = "u" + std::to_string(i), .source = IpAddress::v4(i), .known_browser = ""}, now);
        now += 1us;
        if (i == 15'000) CHECK(throttle.size() <= 20'000);
    }
    CHECK(throttle.size() <= 20'000);
}

TEST_CASE("web::Sessions: they end, and there is a bound") {
    Sessions sessions;
    Instant now{1h};
    sessions.open("t1", session("alice", now));
    REQUIRE(sessions.find("t1", now) != nullptr);
    CHECK(sessions.find("t1", now)->user == "alice");
    CHECK(sessions.find("t2", now) == nullptr);
    CHECK(sessions.find("", now) == nullptr);
    SUBCASE("idle") {
        CHECK(sessions.find("t1", now + Sessions::idle_end) == nullptr);
    }
    SUBCASE("used again and again") {
        for (int i = 0; i < 23; ++i) {
            now += 30min - 1s;
            REQUIRE(sessions.find("t1", now) != nullptr);
        }
        now += 29min;
        CHECK(sessions.find("t1", now + 1min) == nullptr);
    }
    SUBCASE("closed") {
        sessions.close("t1");
        CHECK(sessions.find("t1", now) == nullptr);
    }
    SUBCASE("one user has at most 20, and takes none of another's") {
        sessions.open("b", session("bob", now - 1min));
        for (int i = 0; i < 40; ++i) sessions.open("x" + std::to_string(i), session("alice", now + 1s * i));
        CHECK(sessions.size() == 21);
        CHECK(sessions.find("t1", now) == nullptr);
        CHECK(sessions.find("b", now) != nullptr);
        CHECK(sessions.find("x39", now) != nullptr);
    }
    SUBCASE("500 in all") {
        for (int i = 0; i < 600; ++i) {
            sessions.open("y" + std::to_string(i), session(("u" + std::to_string(i)).c_str(), now + 1s));
        }
        CHECK(sessions.size() == 500);
    }
}
