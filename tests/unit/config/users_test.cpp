#include "natkit/config/users.hpp"

#include <doctest/doctest.h>

using namespace natkit;

namespace {

const std::string md5(32, 'a');
const std::string sha256(64, 'B');

}  // namespace

TEST_CASE("config::parse_users: what htdigest writes, and SHA-256 beside it") {
    const auto users = config::parse_users("# a comment\r\n\nbob:example.com:" + md5 + "\r\nbob:example.com:" + sha256 +
                                               ":SHA-256\nal:example.com:" + md5 + ":md5",
                                           "users");
    REQUIRE(users);
    REQUIRE(users->size() == 3);
    CHECK(users->at(0) == config::User{.name = "bob", .realm = "example.com", .ha1 = md5, .sha256 = false});
    CHECK(users->at(1).sha256);
    CHECK(users->at(1).ha1 == std::string(64, 'b'));
}

TEST_CASE("config::parse_users: every bad line is reported, none is quoted") {
    struct Case {
        const char* why;
        std::string line;
    };
    const Case cases[] = {{"no realm", "bob:" + md5},
                          {"a password in clear", "bob:example.com:secret"},
                          {"half a digest", "bob:example.com:" + md5.substr(1)},
                          {"another length than said", "bob:example.com:" + md5 + ":sha-256"},
                          {"an unknown algorithm", "bob:example.com:" + md5 + ":md4"},
                          {"too many fields", "bob:example.com:" + md5 + ":md5:x"},
                          {"nobody", ":example.com:" + md5},
                          {"quotes", "bob:exam\"ple:" + md5}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto users = config::parse_users("al:example.com:" + md5 + "\n" + c.line + "\n", "users");
        REQUIRE_FALSE(users);
        REQUIRE(users.error().size() == 1);
        CHECK(users.error()[0].where == "users:2");
        CHECK(users.error()[0].message.find("secret") == std::string::npos);
    }
    const auto twice = config::parse_users("al:r:" + md5 + "\nal:r:" + md5 + "\nx\n", "users");
    REQUIRE_FALSE(twice);
    CHECK(twice.error().size() == 2);
    CHECK_FALSE(config::load_users("/nonexistent/users"));
}
