#include "natkit/engine/explain/captures/sip_over_tcp.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "made.hpp"

using namespace natkit;
using namespace natkit::explain;
using namespace natkit::test;

namespace {

struct Segment {
    std::size_t from, to;  ///< of the text, as a segment
    bool cut = false;
};

/// What is found, "…" behind what is cut.
struct Finder {
    const std::string& text;
    std::uint32_t first = 100;
    SipOverTcp tcp = {};
    std::vector<std::string> found = {};
    std::uint64_t frame = 0;

    SipOverTcp::OnMessage take() {
        return [this](SipOverTcp::Found&& message) {
            CHECK(message.source == *Endpoint::parse("192.0.2.1:40000"));
            found.push_back(std::move(message.bytes) + (message.cut ? "…" : ""));
        };
    }
    void segment(const Segment& segment) {
        capture::Datagram datagram{.protocol = capture::Datagram::Protocol::tcp};
        datagram.source = *Endpoint::parse("192.0.2.1:40000");
        datagram.destination = *Endpoint::parse("192.0.2.2:5060");
        datagram.payload = {reinterpret_cast<const std::uint8_t*>(text.data()) + segment.from,
                            segment.to - segment.from};
        datagram.sequence = first + static_cast<std::uint32_t>(segment.from);
        datagram.cut = segment.cut;
        datagram.seen.frame = ++frame;
        tcp.on_segment(datagram, take());
    }
    void acknowledge(std::size_t to) {
        capture::Datagram datagram{.protocol = capture::Datagram::Protocol::tcp};
        datagram.source = *Endpoint::parse("192.0.2.2:5060");
        datagram.destination = *Endpoint::parse("192.0.2.1:40000");
        datagram.acknowledged = first + static_cast<std::uint32_t>(to);
        datagram.seen.frame = ++frame;
        tcp.on_segment(datagram, take());
    }
};

std::vector<std::string> messages_of(const std::string& text, const std::vector<Segment>& segments,
                                     std::uint32_t first = 100) {
    Finder finder{.text = text, .first = first};
    for (const Segment& segment : segments) finder.segment(segment);
    finder.tcp.finish(finder.take());
    return finder.found;
}

}  // namespace

TEST_CASE("explain::SipOverTcp: messages in TCP segments") {
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

TEST_CASE("explain::SipOverTcp: a segment that the capture lacks costs its message alone") {
    const std::string text = ok + options + ok + options;
    const std::size_t second = ok.size();
    const std::size_t third = second + options.size();
    const std::size_t end = text.size();
    const std::string head = options.substr(0, 30) + "…";
    struct Case {
        const char* why;
        std::vector<Segment> segments;
        std::vector<std::string> want;
    };
    const std::vector<Case> cases = {
        {"the end of a message", {{0, second + 30}, {third, end}}, {ok, head, ok, options}},
        {"all of one", {{0, second}, {third, end}}, {ok, ok, options}},
        {"the beginning of one: the next line that starts a message",
         {{0, second}, {second + 10, end}},
         {ok, ok, options}},
        {"the start line after the gap comes in two",
         {{0, second}, {second + 10, third + 4}, {third + 4, end}},
         {ok, ok, options}},
        {"two gaps", {{0, second + 30}, {third, third + ok.size()}, {end - 20, end}}, {ok, head, ok}},
        {"cut by the capture", {{0, second + 30, true}, {third, end}}, {ok, head, ok, options}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(messages_of(text, c.segments) == c.want);
        CHECK(messages_of(text, c.segments, 0xffffffe0U) == c.want);
    }
    Finder finder{.text = text};  // what the receiver has acknowledged will not be sent again: no need to wait
    finder.segment({0, second + 30});
    finder.acknowledge(second + 30);
    finder.segment({third, end});
    CHECK(finder.found == std::vector<std::string>{ok});
    finder.acknowledge(end);
    CHECK(finder.found == std::vector<std::string>{ok, head, ok, options});
}

TEST_CASE("explain::SipOverTcp: many connections that never end a message stay within bounds") {
    const std::string open = "INVITE sip:a@b SIP/2.0\r\nContent-Length: 900000\r\n\r\n" + std::string(60'000, 'x');
    SipOverTcp tcp;
    for (std::uint32_t i = 0; i < 4000; ++i) {
        capture::Datagram datagram{.protocol = capture::Datagram::Protocol::tcp};
        datagram.source = {.address = IpAddress::v4(0xc0000200U + i % 1000),
                           .port = static_cast<std::uint16_t>(1024 + i / 1000)};
        datagram.destination = *Endpoint::parse("192.0.2.2:5060");
        datagram.payload = {reinterpret_cast<const std::uint8_t*>(open.data()), open.size()};
        datagram.seen.frame = i + 1;
        tcp.on_segment(datagram, [](SipOverTcp::Found&&) {});
        CHECK(tcp.bytes() <= 12 * 1024 * 1024);
    }
    CHECK(tcp.bytes() > 1024 * 1024);
}
