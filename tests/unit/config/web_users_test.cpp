#include "natkit/config/web_users.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("config::WebUsers: written and read") {
    const config::WebUsers users{{"alice", "scrypt:15:8:1:00:11"}, {"bob@example.com", "x"}};
    CHECK(config::parse_web_users(config::to_text(users), "f") == users);
    CHECK(config::parse_web_users("", "f")->empty());
    CHECK(config::parse_web_users("# nobody\n\n", "f")->empty());
    CHECK(config::load_web_users("/nowhere/at/all")->empty());
}

TEST_CASE("config::parse_web_users: mistakes are told without what stands there") {
    struct Case {
        const char* why;
        const char* text;
        const char* where;
    };
    constexpr Case cases[] = {
        {"no colon", "alice", "f:1"},
        {"no name", "a:x\n:x", "f:2"},
        {"a name with a space", "a b:x", "f:1"},
        {"twice", "a:x\n\na:y", "f:3"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto read = config::parse_web_users(c.text, "f");
        REQUIRE(!read);
        CHECK(read.error().where == c.where);
    }
    CHECK(!config::is_web_user_name(std::string(65, 'a')));
    CHECK(!config::is_web_user_name(""));
}
