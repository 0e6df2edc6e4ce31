#include "natkit/base/display.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;

TEST_CASE("text::displayable: nothing in it steers a terminal") {
    struct Case {
        const char* why;
        std::string_view text;
        std::string_view want;
    };
    constexpr Case cases[] = {
        {"plain text stays", "sip:alice@example.com", "sip:alice@example.com"},
        {"so do letters of two, three and four bytes", "Åsa 日本 😀 e\u0301", "Åsa 日本 😀 e\u0301"},
        {"an escape sequence", "a\x1b]0;title\x07z", "a?]0;title?z"},
        {"C1 in UTF-8: an 8-bit CSI to xterm",
         "a\xc2\x9b"
         "2Jz",
         "a?2Jz"},
        {"C1 as a byte",
         "a\x9b"
         "2Jz",
         "a\ufffd2Jz"},
        {"a line of its own", "a\r\nz", "a??z"},
        {"DEL", "a\x7fz", "a?z"},
        {"right-to-left override", "a\u202egnp.exe", "a?gnp.exe"},
        {"isolates, zero width, byte order mark", "\u2066a\u2069\u200b\ufeff", "?a???"},
        {"line separator", "a\u2028z", "a?z"},
        {"a character cut off", "a\xe6\x97", "a\ufffd\ufffd"},
        {"longer than need be: an escape in two bytes", "a\xc0\x9bz", "a\ufffd\ufffdz"},
        {"a surrogate", "\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
        {"beyond the last character", "\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(text::displayable(c.text) == c.want);
        CHECK(text::displayable(text::displayable(c.text)) == c.want);
    }
}

TEST_CASE("text::encoded is what text::decoded reads") {
    for (char32_t character = 0; character <= 0x10ffff; character += 13) {
        if (character >= 0xd800 && character < 0xe000) continue;
        const std::u32string one(1, character);
        CHECK(text::decoded(text::encoded(one)) == one);
    }
}
