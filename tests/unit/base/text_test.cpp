#include "natkit/base/text.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/time.hpp"

using namespace natkit;

TEST_CASE("line_end: at CR or LF, whichever is first") {
    CHECK(text::line_end("ab\r\ncd", 0) == 2);
    CHECK(text::line_end("ab\ncd\r", 0) == 2);
    CHECK(text::line_end("ab\rcd\n", 0) == 2);
    CHECK(text::line_end("ab\ncd\r", 3) == 5);
    CHECK(text::line_end("abcd", 1) == 4);
    CHECK(text::line_end("ab\n", 3) == 3);
    CHECK(text::line_end("", 0) == 0);
    CHECK(text::line_end("ab", 5) == 2);
}

TEST_CASE("text::printable: untrusted bytes cannot move the cursor or fill the log") {
    CHECK(text::printable("plain 'text'") == "plain 'text'");
    CHECK(text::printable("a\r\nb\x1b[2J\xff") == "a\\x0d\\x0ab\\x1b[2J\\xff");
    CHECK(text::printable("abcdef", 3) == "abc…");
}

TEST_CASE("text::suggest: near misses only") {
    const std::string_view known[] = {"lan", "nated", "nat_servers", "timeout"};
    CHECK(text::suggest("nat_server", known) == "nat_servers");
    CHECK(text::suggest("time_out", known) == "timeout");
    CHECK(text::suggest("lna", known) == "lan");  // neighbours that changed places
    CHECK(text::suggest("naetd", known) == "nated");
    CHECK_FALSE(text::suggest("nal", known));
    CHECK_FALSE(text::suggest("colour", known));
    const std::string_view longer[] = {"replace-session-connection"};
    CHECK(text::suggest("replace-sesion-conection", longer) == longer[0]);
    CHECK(text::suggest("replcae-session-conenctoin", longer) == longer[0]);
    CHECK(text::suggest("a-replace-session-connect", longer) == longer[0]);  // five letters too many or too few
    CHECK_FALSE(text::suggest("ab-replace-session-connect", longer));        // six
    const std::string_view endless[] = {
        std::string_view("x"),
        std::string_view("a-word-of-more-letters-than-anybody-would-ever-write-in-a-configuration")};
    CHECK_FALSE(text::suggest("a-word-of-more-letters-than-anybody-would-ever-write-in-a-config", endless));
}

TEST_CASE("text::suggest: a word that is near to none of many is soon given up") {
    std::vector<std::string> words;
    for (int i = 0; i < 10'000; ++i) words.push_back(std::string(64, static_cast<char>('a' + i % 8)));
    const std::vector<std::string_view> known(words.begin(), words.end());
    const auto began = std::chrono::steady_clock::now();
    CHECK_FALSE(text::suggest(std::string(64, 'z'), known));
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
}

TEST_CASE("text::parse_number: digits only, bounded") {
    CHECK(text::parse_number("5060", 65535) == 5060);
    CHECK_FALSE(text::parse_number("65536", 65535));
    CHECK_FALSE(text::parse_number("", 1));
    CHECK_FALSE(text::parse_number("+1", 1));
    CHECK_FALSE(text::parse_number("99999999999999999999999", ~std::uint64_t{0}));
}

TEST_CASE("text::hex and back: lower case, no sign, 64 bits at most") {
    CHECK(text::hex(0xcafe, 8) == "0000cafe");
    CHECK(text::hex(0x1cafe, 4) == "cafe");
    const std::uint8_t bytes[] = {0x00, 0x9f, 0xff};
    CHECK(text::hex(bytes) == "009fff");
    CHECK(text::parse_hex("009fff") == 0x9fff);
    CHECK(text::parse_hex("ffffffffffffffff") == ~std::uint64_t{0});
    for (const char* wrong : {"", "CAFE", "-1", "0x1", "10000000000000000"}) {
        CAPTURE(wrong);
        CHECK_FALSE(text::parse_hex(wrong));
    }
}

TEST_CASE("parse_duration and its text") {
    using std::chrono::milliseconds;
    CHECK(parse_duration("25s") == milliseconds(25'000));
    CHECK(parse_duration("2h") == milliseconds(7'200'000));
    CHECK(parse_duration("500ms") == milliseconds(500));
    for (const char* bad : {"", "s", "25", "25 s", "1.5s", "-1s", "9999999999999h", "10d"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_duration(bad).has_value());
    }
    CHECK(to_string(milliseconds(7'200'000)) == "2h");
    CHECK(to_string(milliseconds(90'000)) == "90s");
    CHECK(to_string(milliseconds(1'500)) == "1500ms");
    CHECK(to_string(milliseconds(0)) == "0s");
}
