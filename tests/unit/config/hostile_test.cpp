#include <doctest/doctest.h>

#include <string_view>

#include "natkit/config/config.hpp"

using namespace natkit;

// Found by fuzzing: texts that the TOML library answered by an abort.
TEST_CASE("config::parse: texts that once aborted give a problem with its position") {
    struct Case {
        const char* why;
        std::string_view text;
        const char* where;
    };
    constexpr Case cases[] = {
        {"a section name that no key starts with", "[$", "natkit.toml:1:2"},
        {"a letter outside ASCII where white space may stand", "''\xEF\xBB\xBB#", "natkit.toml:1:3"},
        {"the same with an everyday letter", "[sip]\n\xC3\xA9 = 1\n", "natkit.toml:2:1"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto loaded = config::parse(c.text, "natkit.toml", "/", {});
        REQUIRE_FALSE(loaded.has_value());
        REQUIRE(loaded.error().size() == 1);
        CHECK(loaded.error()[0].where == c.where);
    }
}
