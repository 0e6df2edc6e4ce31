#include "natkit/sip/message/peek.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("sip::peek_call_id") {
    struct Case {
        const char* why;
        std::string_view text;
        bool message;
        std::string_view call_id;
    };
    constexpr Case cases[] = {
        {"a request", "BYE sip:a SIP/2.0\r\nVia: x\r\nCall-ID: a@b\r\n\r\n", true, "a@b"},
        {"a response, compact", "SIP/2.0 200 OK\r\ni:a@b \r\n\r\n", true, "a@b"},
        {"any case, blanks before the colon", "SIP/2.0 200 OK\r\ncALL-id  :\ta\r\n\r\n", true, "a"},
        {"other fields that begin alike", "BYE sip:a SIP/2.0\r\nContact: c\r\nIdentity: i\r\nCall-Info: x\r\nI: z\r\n",
         true, "z"},
        {"in the body", "BYE sip:a SIP/2.0\r\nVia: x\r\n\r\nCall-ID: a\r\n", true, ""},
        {"as the first line", "Call-ID: a\r\n", false, ""},
        {"the first of two", "BYE sip:a SIP/2.0\r\nCall-ID: a\r\nCall-ID: b\r\n\r\n", true, "a"},
        {"bare line feeds", "BYE sip:a SIP/2.0\nCall-ID: a\n\n", true, "a"},
        {"no colon", "BYE sip:a SIP/2.0\r\nCall-ID a\r\n\r\n", true, ""},
        {"a keep-alive", "\r\n\r\n", false, ""},
        {"STUN", std::string_view("\x00\x01\x00\x00", 4), false, ""},
        {"nothing", "", false, ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(sip::looks_like_message(c.text) == c.message);
        CHECK(sip::peek_call_id(c.text) == c.call_id);
    }
}
