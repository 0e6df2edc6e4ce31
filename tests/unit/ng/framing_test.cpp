#include "natkit/ng/framing.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit::ng;
using State = FrameLength::State;

TEST_CASE("ng: where a message of a stream ends") {
    struct Case {
        const char* why;
        const char* stream;
        State state;
        std::size_t length;
    };
    const Case cases[] = {
        {"nothing yet", "", State::incomplete, 0},
        {"white space alone", "\r\n ", State::incomplete, 0},
        {"a cookie alone", "17_1", State::incomplete, 0},
        {"a cookie and a space", "17_1 ", State::incomplete, 0},
        {"bencode", "17_1 d7:command4:pinge", State::complete, 22},
        {"what follows is the next one's", "17_1 d7:command4:pinge17_2 d", State::complete, 22},
        {"white space before it counts", "\n17_1 d7:command4:pinge", State::complete, 23},
        {"bencode that goes on", "17_1 d7:command4:pin", State::incomplete, 0},
        {"a length that goes on", "17_1 d7", State::incomplete, 0},
        {"lists and numbers", "1 d1:ali1ei-2eee", State::complete, 16},
        {"an empty dictionary", "1 de", State::complete, 4},
        {"without cookie", "d7:command4:pinge", State::complete, 17},
        {"a cookie that begins with d", "dog d7:command4:pinge", State::complete, 21},
        {"a cookie in hexadecimal", "d6eba01 d7:command4:pinge", State::complete, 25},
        {"a cookie of d and digits", "d600 {}", State::complete, 7},
        {"a cookie that begins as an empty dictionary", "def0 {}", State::complete, 7},
        {"a key's length that goes on", "d7", State::incomplete, 0},
        {"JSON", "1 {\"command\":\"ping\"}", State::complete, 20},
        {"braces in strings are no braces", "{\"a\":\"}\\\"}\"}", State::complete, 12},
        {"JSON that goes on", "{\"a\":{", State::incomplete, 0},
        {"no dictionary behind the cookie", "GET / HTTP/1.1", State::broken, 0},
        {"a length that nothing has", "1 d99999999999999999999:", State::broken, 0},
        {"a wrong byte in bencode", "1 d1:ax", State::broken, 0},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const FrameLength found = frame_length(c.stream);
        CHECK(found.state == c.state);
        if (c.state == State::complete) CHECK(found.length == c.length);
    }
    CHECK(frame_length(std::string(max_message + 1, 'x')).state == State::broken);
    CHECK(frame_length("1 d" + std::to_string(max_message) + ":" + std::string(max_message, 'x')).state ==
          State::broken);
}

TEST_CASE("ng: a datagram is a cookie and a dictionary") {
    Framed framed;
    CHECK(read_frame("17_1 d7:command4:pinge", framed));
    CHECK(framed.cookie == "17_1");
    CHECK(framed.body == "d7:command4:pinge");
    CHECK(framed.form == Form::bencode);
    CHECK(read_frame("a {}", framed));
    CHECK(framed.form == Form::json);
    CHECK(read_frame("{}", framed));
    CHECK(framed.cookie.empty());
    for (const std::string cookie : {"d6eba01", "d600", "def0", "de"}) {
        CAPTURE(cookie);
        const std::string message = cookie + " {}";
        CHECK(read_frame(message, framed));
        CHECK(framed.cookie == cookie);
    }
    for (const char* wrong : {"", " ", "ping", "ping pong", " de", "1 d", "1 x"}) {
        CAPTURE(wrong);
        CHECK_FALSE(read_frame(wrong, framed));
    }
}

TEST_CASE("ng: lines of text") {
    CHECK(line_length("V\n").length == 2);
    CHECK(line_length("V").state == State::incomplete);
    CHECK(line_length("\n").length == 1);
    CHECK(line_length(std::string(max_message + 1, 'x')).state == State::broken);
}
