#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "natkit/engine/console/show.hpp"

using namespace natkit::console;

TEST_CASE("console::fitted: filled or cut to a number of columns") {
    struct Case {
        const char* why;
        std::string_view text;
        std::size_t width;
        std::string_view want;
    };
    constexpr Case cases[] = {
        {"filled", "abc", 5, "abc  "},
        {"as wide", "abcde", 5, "abcde"},
        {"cut", "abcdef", 5, "abcd…"},
        {"nothing", "", 3, "   "},
        {"no room", "abc", 0, ""},
        {"room for one", "abc", 1, "…"},
        {"two columns a letter", "日本", 5, "日本 "},
        {"cut between such", "日本語", 5, "日本…"},
        {"cut before such, with a column left", "日本語", 4, "日… "},
        {"accents take none", "e\u0301e\u0301", 2, "e\u0301e\u0301"},
        {"what steers the terminal", "\x1b[2J", 4, "?[2J"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(fitted(c.text, c.width) == c.want);
        CHECK(width_of(fitted(c.text, c.width)) == c.width);
    }
    CHECK(fitted("7", 3, Align::right) == "  7");
}

TEST_CASE("console::dump: the same value, and nothing that steers a terminal") {
    const Json value = {{"agent", "x\x1b[2J\u009b2J\u202e\x7f日\U000e0041"}};
    const std::string line = dump(value);
    CHECK(line == R"({"agent":"x\u001b[2J\u009b2J\u202e\u007f日\udb40\udc41"})");
    CHECK(Json::parse(line) == value);
}

TEST_CASE("console: what strangers send does not steer the terminal in any list") {
    const std::string evil = "evil\x1b]0;x\x07\u009b31m\u202e\r\n";
    const Json call = {{"call_id", evil},
                       {"from", evil},
                       {"to", evil},
                       {"why", evil},
                       {"a", {{"source", evil}, {"why", evil}, {"place", evil}}},
                       {"state", evil}};
    const Json client = {
        {"aor", evil}, {"user_agent", evil}, {"why", evil}, {"place", evil}, {"flow", {{"remote", evil}}}};
    const Json status = {{"state", evil}, {"degraded", {evil}}, {"listen", {evil}}, {"components", {{{"name", evil}}}}};
    std::vector<std::string> lines = call_lines({call}, Streams::told);
    for (const auto& more : {client_lines({client}), status_lines(status)})
        lines.insert(lines.end(), more.begin(), more.end());
    CHECK(lines.size() > 8);
    for (const std::string& line : lines) {
        CAPTURE(line);
        for (const char c : line) CHECK(static_cast<unsigned char>(c) >= 0x20);
        CHECK(line.find("\u009b") == std::string::npos);
        CHECK(line.find("\u202e") == std::string::npos);
    }
}

TEST_CASE("console: loss, jitter and time in words; nothing where nothing is known") {
    CHECK(loss_of({{"quality", {{"packets", 999}, {"lost", 1}}}}) == "0.1 %");
    CHECK(loss_of({{"quality", {{"packets", 0}, {"lost", 0}}}}).empty());
    CHECK(loss_of({{"quality", nullptr}}).empty());
    CHECK(loss_of(Json()).empty());
    CHECK(jitter_of({{"quality", {{"jitter_ms", 2.345}}}}) == "2.3 ms");
    CHECK(jitter_of(Json::array()).empty());
    CHECK(clock_of(0) == "0:00");
    CHECK(clock_of(3599) == "59:59");
    CHECK(clock_of(3600) == "1:00:00");
    CHECK(call_lines({{{"from", "sip:a"},
                       {"to", "sip:b"},
                       {"duration_s", 12.7},
                       {"quality", {{"packets", 99}, {"lost", 1}, {"jitter_ms", 3}}}}},
                     Streams::told)[2] == "  sip:a calls sip:b, talking for 12 s, loss 1.0 %, jitter 3.0 ms");
}
