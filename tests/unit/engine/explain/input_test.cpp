#include "natkit/engine/explain/input.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <ctime>
#include <string>
#include <vector>

#include "made.hpp"

using namespace natkit;
using namespace natkit::explain;
using namespace natkit::test;

TEST_CASE("explain::LineReader: a line that is too long costs itself alone") {
    const std::string long_line(5'000'000, 'x');
    auto source = capture::ByteSource::of("one\n" + long_line + "\nthree\nfour");
    LineReader reader(source);
    CHECK((*reader.next())->content == "one");
    const auto refused = reader.next();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::exhausted);
    CHECK(refused.error().where == "bytes:2");
    std::string passed;
    for (auto more = reader.more_of_long_line(); more && *more; more = reader.more_of_long_line()) passed += **more;
    CHECK(passed == long_line + "\n");
    const auto third = reader.next();
    CHECK((*third)->content == "three");
    CHECK((*third)->line == 3);
    CHECK((*reader.next())->content == "four");
    CHECK_FALSE(reader.next()->has_value());
}

TEST_CASE("explain::MessageReader: who waits for an answer gets it") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    auto source = capture::ByteSource::open("/dev/fd/" + std::to_string(ends[0]));
    REQUIRE(source);
    const auto say = [&](const std::string& text) {
        REQUIRE(::write(ends[1], text.data(), text.size()) == std::ssize(text));
    };
    MessageReader reader(*source);
    say(ok);
    CHECK((*reader.next())->content == ok);
    say("\r\n" + options + ok.substr(0, 20));
    CHECK((*reader.next())->content == options);
    say(ok.substr(20));
    CHECK((*reader.next())->content == ok);
    ::close(ends[1]);
    CHECK_FALSE(reader.next()->has_value());
    ::close(ends[0]);
}

TEST_CASE("explain::MessageReader: a large text of small messages takes linear time") {
    std::string text;
    while (text.size() < 8'000'000) text += ok + "\r\n" + options;
    auto source = capture::ByteSource::of(text);
    MessageReader reader(source);
    std::size_t bytes = 0;
    const std::clock_t start = std::clock();
    for (auto piece = reader.next(); piece && *piece; piece = reader.next())
        bytes += (*piece)->lead.size() + (*piece)->content.size();
    CHECK(bytes == text.size());
    CHECK(std::clock() - start < 20 * CLOCKS_PER_SEC);  // it was a minute and more
}

TEST_CASE("explain::MessageReader: raw messages in a row, lead and content are the whole text") {
    struct Case {
        const char* why;
        std::string text;
        std::vector<std::string> want;
    };
    const std::vector<Case> cases = {
        {"two", ok + options, {ok, options}},
        {"line ends between", "\r\n" + ok + "\r\n\r\n" + options + "\n", {ok, options}},
        {"Content-Length too small: the rest belongs to it", ok + "tail", {ok + "tail"}},
        {"Content-Length too small, and another follows", ok + "tail\r\n" + options, {ok + "tail\r\n", options}},
        {"no Content-Length",
         "SIP/2.0 200 OK\r\na: b\r\n\r\nv=0\r\n" + options,
         {"SIP/2.0 200 OK\r\na: b\r\n\r\nv=0\r\n", options}},
        {"a message in a message",
         "MESSAGE sip:a@b SIP/2.0\nl:" + std::to_string(ok.size()) + "\n\n" + ok,
         {"MESSAGE sip:a@b SIP/2.0\nl:" + std::to_string(ok.size()) + "\n\n" + ok}},
        {"no end of header", "INVITE sip:a@b SIP/2.0\r\nVia: x", {"INVITE sip:a@b SIP/2.0\r\nVia: x"}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        auto source = capture::ByteSource::of(c.text);
        MessageReader reader(source);
        std::vector<std::string> found;
        std::string together;
        for (;;) {
            const auto piece = reader.next();
            REQUIRE(piece);
            if (!*piece) break;
            together += (*piece)->lead + (*piece)->content;
            if (!(*piece)->content.empty()) found.push_back((*piece)->content);
        }
        CHECK(found == c.want);
        CHECK(together == c.text);
    }
}

TEST_CASE("explain::recognise: inputs by their first bytes") {
    CHECK(recognise("\xd4\xc3\xb2\xa1....") == InputKind::capture);
    CHECK(recognise("\x0a\x0d\x0d\x0a....") == InputKind::capture);
    CHECK(recognise("\r\n {\"type\"") == InputKind::json);
    CHECK(recognise("v=0\r\n") == InputKind::sdp);
    CHECK(recognise("INVITE sip:a@b SIP/2.0") == InputKind::sip);
    CHECK(recognise("\r\n") == InputKind::empty);
}
