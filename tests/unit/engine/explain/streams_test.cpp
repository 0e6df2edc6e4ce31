#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "natkit/engine/explain/input.hpp"
#include "natkit/engine/explain/sip_streams.hpp"

using namespace natkit;
using namespace natkit::explain;

namespace {

const std::string ok = "SIP/2.0 200 OK\r\nCall-ID: x\r\nContent-Length: 4\r\n\r\nbody";
const std::string options = "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: y\r\nl: 0\r\n\r\n";

struct Segment {
    std::size_t from, to;  ///< of the text, as a segment
};

std::vector<std::string> messages_of(const std::string& text, const std::vector<Segment>& segments,
                                     std::uint32_t first = 100) {
    SipStreams streams;
    std::vector<std::string> found;
    std::uint64_t frame = 0;
    for (const Segment& segment : segments) {
        capture::Datagram datagram{.protocol = capture::Datagram::Protocol::tcp};
        datagram.source = *Endpoint::parse("192.0.2.1:40000");
        datagram.destination = *Endpoint::parse("192.0.2.2:5060");
        datagram.payload = {reinterpret_cast<const std::uint8_t*>(text.data()) + segment.from,
                            segment.to - segment.from};
        datagram.sequence = first + static_cast<std::uint32_t>(segment.from);
        streams.on_segment(datagram, ++frame, [&](std::string&& bytes) { found.push_back(std::move(bytes)); });
    }
    return found;
}

}  // namespace

TEST_CASE("explain::SipStreams: messages in TCP segments") {
    const std::string text = ok + "\r\n\r\n" + options + ok;
    const std::size_t end = text.size();
    const std::vector<std::string> all = {ok, options, ok};
    struct Case {
        const char* why;
        std::vector<Segment> segments;
    };
    const std::vector<Case> cases = {
        {"many in one segment", {{0, end}}},
        {"one over many", {{0, 20}, {20, 30}, {30, 60}, {60, end}}},
        {"out of order", {{0, 20}, {60, end}, {30, 60}, {20, 30}}},
        {"sent again, and overlapping", {{0, 30}, {0, 30}, {10, 40}, {30, end}, {20, 50}}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(messages_of(text, c.segments) == all);
        CHECK(messages_of(text, c.segments, 0xffffffe0U) == all);  // numbers wrap around
    }
    CHECK(messages_of("GET / HTTP/1.1\r\n\r\n" + ok, {{0, 18}, {18, 18 + ok.size()}}) == std::vector<std::string>{ok});
    CHECK(messages_of("\x16\x03\x01junk", {{0, 7}}).empty());
    // A wrong Content-Length (4 of 9 bytes): the next message is found all the same.
    const std::string wrong = ok + "more!" + "\r\n" + options;
    CHECK(messages_of(wrong, {{0, wrong.size()}}) == std::vector<std::string>{ok, options});
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
