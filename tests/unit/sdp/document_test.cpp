#include "natkit/sdp/document.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "parsed.hpp"

using namespace natkit;
using namespace natkit::sdp;
using natkit::test::document;

namespace {

std::string text_of(const std::optional<Endpoint>& endpoint) {
    return endpoint ? to_string(*endpoint) : "none";
}

}  // namespace

TEST_CASE("sdp::Document: where each stream wants its media") {
    struct Case {
        const char* why;
        const char* text;
        const char* rtp;
        const char* rtcp;
    };
    constexpr Case cases[] = {
        {"session c=", "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n", "192.0.2.1:4000", "192.0.2.1:4001"},
        {"own c= wins", "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.2\r\n",
         "192.0.2.2:4000", "192.0.2.2:4001"},
        {"bare LF and no final line end", "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:5000",
         "192.0.2.1:4000", "192.0.2.1:5000"},
        {"RFC 3605 2.1: a=rtcp with an address",
         "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\na=rtcp:53020 IN IP6 2001:db8::2\r\n", "192.0.2.1:4000",
         "[2001:db8::2]:53020"},
        {"RFC 5761: muxed", "v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 4000 RTP/AVP 0\r\na=rtcp-mux\r\na=rtcp:5\r\n",
         "[2001:db8::1]:4000", "[2001:db8::1]:4000"},
        {"rejected", "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 0 RTP/AVP 0\r\n", "none", "none"},
        {"port and count", "v=0\r\nc=IN IP4 192.0.2.1\r\nm=video 49170/2 RTP/AVP 31\r\n", "192.0.2.1:49170",
         "192.0.2.1:49171"},
        {"a name is no address", "v=0\r\nc=IN IP4 phone.example.com\r\nm=audio 4000 RTP/AVP 0\r\n", "none", "none"},
        {"no c= at all", "v=0\r\nm=audio 4000 RTP/AVP 0\r\n", "none", "none"},
        {"port too large", "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 70000 RTP/AVP 0\r\n", "none", "none"},
        {"no port after the last", "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 65535 RTP/AVP 0\r\n", "192.0.2.1:65535",
         "none"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Document doc = document(c.text);
        REQUIRE(doc.media().size() == 1);
        CHECK(text_of(doc.rtp_endpoint(doc.media()[0])) == c.rtp);
        CHECK(text_of(doc.rtcp_endpoint(doc.media()[0])) == c.rtcp);
        CHECK(doc.text() == c.text);
    }
}

TEST_CASE("sdp::Document: attributes of a stream") {
    const Document doc = document(
        "v=0\r\no=- 1 7 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\na=sendonly\r\na=setup:passive\r\n"
        "m=audio 4000 RTP/AVP 0 8\r\na=inactive\r\na=candidate:1 1 UDP 99 10.0.0.1 4000 typ srflx raddr 10.0.0.2 rport "
        "7\r\n"
        "m=message 2855 TCP/MSRP "
        "*\r\na=path:msrp://alice@10.0.0.1:2855/s1;tcp\r\na=setup:active\r\na=connection:existing\r\n"
        "m=video 9 RTP/AVP 31\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:x\r\na=sendrecv\r\n"
        "m=audio 4002 RTP/AVP 31\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\n");
    REQUIRE(doc.media().size() == 4);
    CHECK(doc.text(doc.origin_version()) == "7");
    CHECK(doc.media()[0].direction == Direction::inactive);
    CHECK(doc.media()[0].formats == "0 8");
    CHECK(doc.media()[0].candidates == 1);
    CHECK(doc.media()[0].setup == Setup::passive);
    CHECK(doc.on_hold(doc.media()[0]));
    CHECK(doc.media()[1].direction == Direction::sendonly);
    CHECK(doc.media()[1].setup == Setup::active);
    CHECK(doc.media()[1].connection_existing);
    CHECK(doc.media()[1].tcp());
    CHECK_FALSE(doc.on_hold(doc.media()[2]));  // trickle ICE: no address yet
    CHECK(doc.on_hold(doc.media()[3]));        // RFC 2543's hold
    CHECK(doc.attribute(0, doc.session_end(), "setup") == "passive");

    std::string seen;
    for (const Field& field : doc.fields()) {
        seen += std::string(to_string(field.kind)) + " " + std::string(doc.text(field.address)) + ":" +
                std::string(doc.text(field.port)) + "\n";
    }
    CHECK(seen ==
          "o 10.0.0.1:\nc 10.0.0.1:\nm :4000\na=candidate 10.0.0.1:4000\na=candidate raddr 10.0.0.2:7\nm :2855\n"
          "a=path 10.0.0.1:2855\nm :9\nc 0.0.0.0:\nm :4002\nc 0.0.0.0:\n");
}

TEST_CASE("sdp::Media: T.120 among the TCP streams") {
    const auto t120 = [](const char* line) {
        return Document::parse(std::string("v=0\r\nc=IN IP4 192.0.2.1\r\n") + line).value().media()[0].t120();
    };
    CHECK(t120("m=application 1503 TCP t120\r\n"));
    CHECK(t120("m=application 1503 tcp T120\r\n"));
    CHECK(t120("m=application 1503 tcp msdata\r\n"));  // Windows Messenger
    CHECK(t120("m=application 1503 TCP wb  t120 \r\n"));
    CHECK_FALSE(t120("m=application 1503 udp t120\r\n"));
    CHECK_FALSE(t120("m=application 1503 TCP/BFCP *\r\n"));
    CHECK_FALSE(t120("m=application 1503 TCP t1200\r\n"));
    CHECK_FALSE(t120("m=application 1503 TCP\r\n"));
}

TEST_CASE("sdp::Document: what is no session description") {
    for (const char* text : {"", "hello", "\r\n\r\n", "a=sendrecv\r\n", "v 0\r\n"}) {
        CAPTURE(text);
        const auto parsed = Document::parse(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().where == "sdp:1");
    }
}

TEST_CASE("sdp::Document: views stay good in copies and after a move") {
    std::optional<Document> first = document("v=0\r\nm=audio 1 RTP/AVP 0\r\n");
    const Document copy = *first;
    const Document moved = *std::move(first);
    first.reset();
    CHECK(copy.media()[0].kind == "audio");
    CHECK(moved.media()[0].kind == "audio");
    CHECK(moved.text() == copy.text());
}

TEST_CASE("sdp::Direction and Setup: words both ways") {
    for (const char* word : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
        CHECK(to_string(*parse_direction(word)) == std::string(word));
        CHECK(reversed(reversed(*parse_direction(word))) == *parse_direction(word));
    }
    for (const char* word : {"active", "passive", "actpass", "holdconn"})
        CHECK(to_string(*parse_setup(word)) == std::string(word));
    CHECK_FALSE(parse_direction("SENDRECV"));
    CHECK(reversed(Direction::sendonly) == Direction::recvonly);
    CHECK(receives(Direction::recvonly));
    CHECK_FALSE(sends(Direction::recvonly));
}

TEST_CASE("sdp::Document: BUNDLE (RFC 9143): which m= line's port carries a stream") {
    struct Case {
        const char* why;
        const char* lines;  ///< behind the session part
        const char* want;   ///< of each m= line: "-" itself, a number, "x" rejected
        std::size_t streams;
    };
    constexpr Case cases[] = {
        {"one port",
         "a=group:BUNDLE a v\r\nm=audio 4000 RTP/AVP 0\r\na=mid:a\r\nm=video 4000 RTP/AVP 31\r\na=mid:v\r\n", "-0", 1},
        {"7.2.1: a port each in the first offer",
         "a=group:BUNDLE a v\r\nm=audio 4000 RTP/AVP 0\r\na=mid:a\r\nm=video 4002 RTP/AVP 31\r\na=mid:v\r\n", "--", 2},
        {"bundle-only has port 0",
         "a=group:BUNDLE a v\r\nm=audio 4000 RTP/AVP 0\r\na=mid:a\r\nm=video 0 RTP/AVP "
         "31\r\na=mid:v\r\na=bundle-only\r\n",
         "-0", 1},
        {"and may come before the one with a port",
         "a=group:BUNDLE a v\r\nm=audio 0 RTP/AVP 0\r\na=mid:a\r\na=bundle-only\r\nm=video 4000 RTP/AVP "
         "31\r\na=mid:v\r\n",
         "1-", 1},
        {"port 0 alone is rejected",
         "a=group:BUNDLE a\r\nm=audio 4000 RTP/AVP 0\r\na=mid:a\r\nm=video 0 RTP/AVP 31\r\na=mid:v\r\n", "-x", 1},
        {"bundle-only outside of a group means nothing",
         "m=audio 4000 RTP/AVP 0\r\na=mid:a\r\nm=video 0 RTP/AVP 31\r\na=mid:v\r\na=bundle-only\r\n", "-x", 1},
        {"all bundle-only: nobody carries them",
         "a=group:BUNDLE a\r\nm=audio 0 RTP/AVP 0\r\na=mid:a\r\na=bundle-only\r\n", "x", 0},
        {"two groups",
         "a=group:BUNDLE a\r\na=group:BUNDLE v a\r\nm=audio 4000 RTP/AVP 0\r\na=mid:a\r\nm=video 4000 RTP/AVP "
         "31\r\na=mid:v\r\n",
         "--", 2},
        {"lip synchronisation is no bundle",
         "a=group:LS a v\r\nm=audio 4000 RTP/AVP 0\r\na=mid:a\r\nm=video 4000 RTP/AVP 31\r\na=mid:v\r\n", "--", 2},
        {"one port of two hosts",
         "a=group:BUNDLE a v\r\nm=audio 4000 RTP/AVP 0\r\na=mid:a\r\nm=video 4000 RTP/AVP 31\r\nc=IN IP4 "
         "192.0.2.2\r\na=mid:v\r\n",
         "--", 2},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Document doc = document(std::string("v=0\r\nc=IN IP4 192.0.2.1\r\n") + c.lines);
        std::string got;
        for (const Media& media : doc.media()) {
            got += media.bundled_with ? std::to_string(*media.bundled_with) : media.rejected() ? "x" : "-";
        }
        CHECK(got == c.want);
        CHECK(doc.streams() == c.streams);
    }
}

TEST_CASE("sdp::Document: what is a hold, and what only looks like one") {
    struct Case {
        const char* why;
        const char* lines;
        bool hold;  ///< of the last stream
    };
    constexpr Case cases[] = {
        {"RFC 2543", "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n", true},
        {"port 9 alone is no ICE", "m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n", true},
        {"RFC 8840 4.1.1: ICE has yet to find an address",
         "m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:x\r\n", false},
        {"its options alone say so", "m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=ice-options:trickle\r\n", false},
        {"of a bundle only the first names ICE",
         "a=group:BUNDLE a v\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=ice-ufrag:x\r\n"
         "m=video 9 RTP/AVP 31\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\n",
         false},
        {"bundle-only",
         "a=group:BUNDLE a v\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=ice-ufrag:x\r\n"
         "m=video 0 RTP/AVP 31\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=bundle-only\r\n",
         false},
        {"sendonly", "m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n", true},
        {"recvonly: put on hold", "m=audio 4000 RTP/AVP 0\r\na=recvonly\r\n", true},
        {"inactive, with ICE", "m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:x\r\na=inactive\r\n", true},
        {"sendrecv", "m=audio 4000 RTP/AVP 0\r\n", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Document doc = document(std::string("v=0\r\nc=IN IP4 192.0.2.1\r\n") + c.lines);
        CHECK(doc.on_hold(doc.media().back()) == c.hold);
    }
}
