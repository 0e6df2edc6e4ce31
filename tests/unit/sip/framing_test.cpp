#include "natkit/sip/message/framing.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::sip;

namespace {

/// What comes out, one character a thing and messages in brackets; "!" at the end when the stream was refused.
std::string framed(std::string_view stream, std::size_t piece) {
    Framer framer;
    std::string text;
    while (!stream.empty()) {
        std::vector<Framed> out;
        const auto fed = framer.feed(stream.substr(0, piece), out);
        for (const Framed& one : out) text += one.kind == Framed::Kind::ping ? "." : "[" + one.bytes + "]";
        if (!fed) return text + "!";
        stream.remove_prefix(std::min(piece, stream.size()));
    }
    return text + (framer.incomplete() ? "+" : "");
}

const std::string a = "BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n";
const std::string b = "SIP/2.0 200 OK\r\nl : 5\r\n\r\n12345";

}  // namespace

TEST_CASE("Framer: the same messages however the stream is cut") {
    struct Case {
        const char* why;
        std::string stream;
        std::string want;
    };
    const Case cases[] = {
        {"one message", a, "[" + a + "]"},
        {"two in a row", a + b, "[" + a + "][" + b + "]"},
        {"line ends before and between are skipped", "\r\n" + a + "\r\n" + b, "[" + a + "][" + b + "]"},
        {"CRLFCRLF is a ping", "\r\n\r\n" + a, ".[" + a + "]"},
        {"two pings and a half", "\r\n\r\n\r\n\r\n\r\n", ".."},
        {"a single CRLF is the answer to ours", "\r\n", ""},
        {"bare LFs are no ping", "\n\n\n\n", ""},
        {"a body of line ends is no ping", "BYE sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n\r\n" + b,
         "[BYE sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n\r\n][" + b + "]"},
        {"bare LF in the header", "BYE sip:a SIP/2.0\nContent-Length: 1\n\nx",
         "[BYE sip:a SIP/2.0\nContent-Length: 1\n\nx]"},
        {"folded", "BYE sip:a SIP/2.0\r\nContent-Length:\r\n 1\r\n\r\nx",
         "[BYE sip:a SIP/2.0\r\nContent-Length:\r\n 1\r\n\r\nx]"},
        {"a header without its end", "BYE sip:a SIP/2.0\r\nContent-Length: 0\r\n", "+"},
        {"a body without its end", "BYE sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\nx", "+"},
        {"no Content-Length", "BYE sip:a SIP/2.0\r\nTo: x\r\n\r\n", "!"},
        {"two of them", "BYE sip:a SIP/2.0\r\nContent-Length: 0\r\nl: 0\r\n\r\n", "!"},
        {"not a number", "BYE sip:a SIP/2.0\r\nContent-Length: 1 1\r\n\r\n", "!"},
        {"negative", "BYE sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", "!"},
        {"too much", "BYE sip:a SIP/2.0\r\nContent-Length: 65537\r\n\r\n", "!"},
        {"a control byte: for whoever answers it, and no more",
         a + "BYE sip:a SIP/2.0\r\nX: a\rl: 9\r\nl: 0\r\n\r\n" + b,
         "[" + a + "][BYE sip:a SIP/2.0\r\nX: a\rl: 9\r\nl: 0\r\n\r\n]!"},
        {"its body is not waited for", "BYE sip:a SIP/2.0\r\nX: a\x01\r\nl: 9\r\n\r\n",
         "[BYE sip:a SIP/2.0\r\nX: a\x01\r\nl: 9\r\n\r\n]!"},
        {"control bytes of a body", "BYE sip:a SIP/2.0\r\nl: 3\r\n\r\n\r\x01\r" + b,
         "[BYE sip:a SIP/2.0\r\nl: 3\r\n\r\n\r\x01\r][" + b + "]"},
        {"another protocol", "GET / HTTP/1.1\r\n", "!"},
        {"what came before the nonsense counts", a + "GET / HTTP/1.1\r\n", "[" + a + "]!"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        for (const std::size_t piece :
             {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, c.stream.size()}) {
            CAPTURE(piece);
            CHECK(framed(c.stream, piece) == c.want);
        }
    }
}

TEST_CASE("Framer: bounded") {
    const std::string start = "BYE sip:a SIP/2.0\r\nX: ";
    CHECK(framed(start + std::string(Framer::max_header, 'x'), 1000) == "!");
    CHECK(framed(std::string(Framer::max_header + 1, 'x'), 1000) == "!");
    const std::string most = "BYE sip:a SIP/2.0\r\nContent-Length: 65536\r\n\r\n" + std::string(Framer::max_body, 'x');
    CHECK(framed(most, 1000) == "[" + most + "]");
    CHECK(framed(std::string(1'000'000, '\n'), 1000).empty());
}
