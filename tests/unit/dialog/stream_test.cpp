#include "natkit/dialog/stream.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using dialog::Described;
using dialog::End;
using sdp::Direction;
using sdp::Setup;

namespace {

/// The stream of a description with this c=, m= line and one more line.
Described described(const std::string& connection, const std::string& media, const std::string& more = "a=x",
                    bool offers = true) {
    const auto document = sdp::Document::parse("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN " + connection +
                                               "\r\nt=0 0\r\nm=" + media + "\r\n" + more + "\r\n")
                              .value();
    return dialog::describe(document, document.media().front(), offers);
}

Described audio(const std::string& more, const std::string& connection = "IP4 192.0.2.1") {
    return described(connection, "audio 4000 RTP/AVP 0", more);
}

std::string shown(const std::optional<Endpoint>& endpoint) {
    return endpoint ? to_string(*endpoint) : "none";
}

}  // namespace

TEST_CASE("dialog::describe: where a stream wants its media and its RTCP") {
    struct Case {
        const char* why;
        const char* connection;
        const char* media;
        const char* more;
        const char* rtp;
        const char* rtcp;
    };
    const Case cases[] = {
        {"the next port", "IP4 192.0.2.1", "audio 4000 RTP/AVP 0", "a=x", "192.0.2.1:4000", "192.0.2.1:4001"},
        {"a=rtcp", "IP4 192.0.2.1", "audio 4000 RTP/AVP 0", "a=rtcp:5001", "192.0.2.1:4000", "192.0.2.1:5001"},
        {"muxed, but the other end may not", "IP4 192.0.2.1", "audio 4000 RTP/AVP 0", "a=rtcp-mux", "192.0.2.1:4000",
         "192.0.2.1:4001"},
        {"IPv6", "IP6 2001:db8::1", "audio 4000 RTP/AVP 0", "a=x", "[2001:db8::1]:4000", "[2001:db8::1]:4001"},
        {"hold by RFC 2543", "IP4 0.0.0.0", "audio 4000 RTP/AVP 0", "a=x", "none", "none"},
        {"ICE has yet to find out", "IP4 0.0.0.0", "audio 9 RTP/AVP 0", "a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host",
         "none", "none"},
        {"a name", "IP4 media.example.com", "audio 4000 RTP/AVP 0", "a=x", "none", "none"},
        {"rejected", "IP4 192.0.2.1", "audio 0 RTP/AVP 0", "a=x", "none", "none"},
        {"TCP has no RTCP", "IP4 192.0.2.1", "application 4000 TCP/BFCP *", "a=x", "192.0.2.1:4000", "none"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Described said = described(c.connection, c.media, c.more);
        CHECK(shown(said.rtp) == c.rtp);
        CHECK(shown(said.rtcp) == c.rtcp);
    }
}

TEST_CASE("dialog::describe: hold, mux, direction and SSRCs") {
    CHECK(audio("a=sendonly").hold);
    CHECK(audio("a=sendonly").sending.direction == Direction::sendonly);
    CHECK(audio("a=x", "IP4 0.0.0.0").hold);
    CHECK_FALSE(audio("a=x").hold);
    CHECK(audio("a=rtcp-mux").mux);
    CHECK_FALSE(audio("a=x").mux);
    const Described said = audio("a=ssrc:7 cname:x\r\na=ssrc:7 msid:y\r\na=ssrc:8 cname:x\r\na=ssrc:z cname:x");
    CHECK(said.sending.ssrcs.count == 2);
    CHECK(said.sending.ssrcs.contains(7));
    CHECK(said.sending.ssrcs.contains(8));
}

TEST_CASE("dialog::describe: a TCP stream says who connects, and whether anew") {
    const auto tcp = [](const char* more, bool offers = true) {
        return described("IP4 192.0.2.1", "application 4000 TCP/BFCP *", more, offers);
    };
    const auto t120 = [](const char* more) { return described("IP4 192.0.2.1", "application 1503 TCP t120", more); };
    CHECK(tcp("a=setup:passive").setup == Setup::passive);
    CHECK(tcp("a=x").setup == Setup::active);
    CHECK(tcp("a=x", false).setup == Setup::passive);
    CHECK(tcp("a=setup:passive").renew);  // RFC 4145 section 5: new is what silence means
    CHECK_FALSE(tcp("a=setup:passive\r\na=connection:existing").renew);
    CHECK_FALSE(t120("a=x").renew);  // it knows no a=setup, and means nothing by that
    CHECK(t120("a=connection:new").renew);
    CHECK_FALSE(audio("a=setup:active").setup);  // of DTLS
    CHECK_FALSE(audio("a=setup:active").renew);
}

TEST_CASE("dialog::Stream: what an offer and its answer have agreed on") {
    struct Case {
        const char* why;
        const char* offered;
        const char* answered;
        bool hold;
        bool mux;
        Direction caller;
        Direction callee;
    };
    const Case cases[] = {
        {"nothing said", "a=x", "a=x", false, false, Direction::sendrecv, Direction::sendrecv},
        {"hold", "a=sendonly", "a=recvonly", true, false, Direction::sendonly, Direction::recvonly},
        {"hold that the answer ignores", "a=sendonly", "a=x", true, false, Direction::sendonly, Direction::recvonly},
        {"both only listen", "a=recvonly", "a=recvonly", true, false, Direction::inactive, Direction::inactive},
        {"muxed", "a=rtcp-mux", "a=rtcp-mux", false, true, Direction::sendrecv, Direction::sendrecv},
        {"mux refused", "a=rtcp-mux", "a=x", false, false, Direction::sendrecv, Direction::sendrecv},
        {"mux not offered", "a=x", "a=rtcp-mux", false, false, Direction::sendrecv, Direction::sendrecv},
    };
    for (const Case& c : cases) {
        for (const End answerer : {End::callee, End::caller}) {
            CAPTURE(c.why);
            CAPTURE(index(answerer));
            dialog::Stream stream;
            stream.offered = audio(c.offered);
            stream.answer(answerer, audio(c.answered));
            CHECK(stream.hold == c.hold);
            CHECK(stream.mux == c.mux);
            CHECK(stream.sending[index(other(answerer))].direction == c.caller);
            CHECK(stream.sending[index(answerer)].direction == c.callee);
            CHECK(stream.said[index(other(answerer))] == dialog::said_in(stream.offered));
        }
    }
}

TEST_CASE("dialog::Stream: who holds the old way is still where it was") {
    dialog::Stream stream;
    stream.offered = audio("a=x");
    stream.answer(End::callee, audio("a=x"));
    stream.offered = audio("a=x", "IP4 0.0.0.0");
    stream.answer(End::callee, audio("a=recvonly"));
    CHECK(stream.hold);
    CHECK(shown(stream.said[index(End::caller)].rtp) == "192.0.2.1:4000");
}

TEST_CASE("dialog::Stream: a port that carries two streams sends if one of them does") {
    dialog::Stream stream;
    stream.offered = audio("a=sendonly");
    stream.answer(End::callee, audio("a=recvonly"));
    stream.carry(End::callee, {.direction = Direction::recvonly, .ssrcs = {}},
                 {.direction = Direction::sendonly, .ssrcs = {}});
    CHECK(stream.sending[index(End::caller)].direction == Direction::sendrecv);
    CHECK(stream.sending[index(End::callee)].direction == Direction::sendrecv);
}
