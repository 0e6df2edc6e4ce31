#include "natkit/sip/message/controls.hpp"

#include <doctest/doctest.h>

#include "natkit/sip/message/message.hpp"
#include "natkit/sip/message/serialize.hpp"

using namespace natkit;
using namespace std::string_literals;

TEST_CASE("find_control: what a header section may not hold") {
    struct Case {
        const char* why;
        std::string text;
        const char* want;  ///< "": nothing
        std::size_t line = 0;
        bool escaped = false;
    };
    const Case cases[] = {
        {"CRLF, HTAB, folding", "OPTIONS sip:a SIP/2.0\r\nSubject:\ta\r\n\tb\r\n\r\n", ""},
        {"bare LF is a line end", "OPTIONS sip:a SIP/2.0\nSubject: a\n b\n\n", ""},
        {"UTF-8", "OPTIONS sip:a SIP/2.0\r\nSubject: \xc3\xbc\r\n\r\n", ""},
        {"a body is anybody's", "OPTIONS sip:a SIP/2.0\r\nTo: b\r\n\r\n\r\0\x01"s, ""},
        {"a body behind bare LFs", "OPTIONS sip:a SIP/2.0\nTo: b\n\n\r\0\x01"s, ""},
        {"a body behind mixed line ends", "OPTIONS sip:a SIP/2.0\r\nTo: b\n\r\n\r"s, ""},
        {"line ends before the message", "\r\r\n\rOPTIONS sip:a SIP/2.0\r\n\r\n", ""},
        {"a header field behind a bare CR", "OPTIONS sip:a SIP/2.0\r\nSubject: hi\rP-Asserted-Identity: x\r\n\r\n",
         "a CR without LF", 2},
        {"in the start line", "OPTIONS sip:a\rb SIP/2.0\r\n\r\n", "a CR without LF", 1},
        {"two CRs and an LF", "OPTIONS sip:a SIP/2.0\r\nTo: b\r\r\n\r\n", "a CR without LF", 2},
        {"a line of CRs does not end the header", "OPTIONS sip:a SIP/2.0\r\n\r\r\n\r\n", "a CR without LF", 2},
        {"the last byte", "OPTIONS sip:a SIP/2.0\r\nTo: b\r", "a CR without LF", 2},
        {"NUL", "OPTIONS sip:a SIP/2.0\r\nTo: b\r\nX: a\0b\r\n\r\n"s, "control byte \\x00", 3},
        {"vertical tab", "OPTIONS sip:a SIP/2.0\r\nTo: b\vc\r\n\r\n", "control byte \\x0b", 2},
        {"DEL", "OPTIONS sip:a SIP/2.0\r\nTo: b\x7f\r\n\r\n", "control byte \\x7f", 2},
        {"quoted-pair", "OPTIONS sip:a SIP/2.0\r\nTo: \"\\\x07\" <sip:b>\r\n\r\n", "control byte \\x07", 2, true},
        {"CR is in no quoted-pair", "OPTIONS sip:a SIP/2.0\r\nTo: \"\\\r\" <sip:b>\r\n\r\n", "a CR without LF", 2},
        {"a bare one tells more", "OPTIONS sip:a SIP/2.0\r\nTo: \"\\\x07\" <sip:b>\r\nX: \x01\r\n\r\n",
         "control byte \\x01", 3},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto found = sip::find_control(c.text);
        CHECK((found ? to_string(*found) : "") == c.want);
        std::string blanked = c.text;
        CHECK(sip::blank_controls(blanked) == found);
        CHECK(blanked.size() == c.text.size());
        CHECK_FALSE(sip::find_control(blanked));
        if (!found) {
            CHECK(blanked == c.text);
            continue;
        }
        CHECK(found->line == c.line);
        CHECK(found->escaped == c.escaped);
    }
}

TEST_CASE("find_control: wherever it stands among others") {
    for (std::size_t length = 1; length < 40; ++length) {
        for (std::size_t at = 0; at < length; ++at) {
            for (const char c : {'\0', '\x01', '\x1f', '\x7f', '\r'}) {
                std::string message(length, at % 2 == 0 ? 'a' : '\xff');
                CHECK_FALSE(sip::find_control(message));
                message[at] = c;
                const bool leads = c == '\r' && at == 0;  // line ends before a message are none of it
                CHECK(sip::find_control(message).has_value() != leads);
            }
        }
    }
}

TEST_CASE("Message: with a control byte there is none to pass on, but one to answer") {
    const std::string bytes =
        "MESSAGE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\n"
        "To: \"x\rP-Asserted-Identity: <sip:boss@h>\" <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\r\nbody\r\0"s;
    const auto refused = sip::Message::parse(bytes);
    REQUIRE_FALSE(refused.has_value());
    CHECK(to_string(refused.error()) == "line 4: a CR without LF in the header section");
    const auto read = sip::Message::parse(bytes, sip::Controls::blanked);
    REQUIRE(read.has_value());
    REQUIRE(read->control().has_value());
    CHECK(read->headers().size() == 5);
    CHECK(read->body() == "body\r\0"s);
    const auto checked = sip::check(*read);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().message == "a CR without LF in the header section");
    CHECK_FALSE(sip::find_control(sip::make_response(*read, 400, checked.error().message, "t")));
}
