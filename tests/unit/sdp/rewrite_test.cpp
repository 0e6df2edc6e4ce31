#include "natkit/sdp/rewrite.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "parsed.hpp"

using namespace natkit;
using namespace natkit::sdp;
using natkit::test::document;

namespace {

Endpoint endpoint(const char* text) {
    return *Endpoint::parse(text);
}

/// One target for every m= line, or for those with a letter in `which` ("x-" moves the first of two).
std::vector<std::optional<MediaTarget>> targets(const Document& doc, const MediaTarget& target,
                                                std::string_view which = {}) {
    std::vector<std::optional<MediaTarget>> all(doc.media().size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (which.empty() || (i < which.size() && which[i] != '-')) all[i] = target;
    }
    return all;
}

}  // namespace

TEST_CASE("sdp::rewrite: points streams at a relay and leaves the rest") {
    struct Case {
        const char* why;
        const char* before;
        const char* to;
        const char* which;
        const char* after;
    };
    constexpr Case cases[] = {
        {"session c= and port", "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n",
         "203.0.113.10:40000", "",
         "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\n"},
        {"own c=, TTL-less, other words kept", "v=0\nm=audio 4000 RTP/AVP 0\nc=IN IP4 10.0.0.1 \nx-y\n",
         "203.0.113.10:40000", "", "v=0\nm=audio 40000 RTP/AVP 0\nc=IN IP4 203.0.113.10 \nx-y\n"},
        {"no final line end", "v=0\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 10.0.0.1", "203.0.113.10:40000", "",
         "v=0\r\nm=audio 40000 RTP/AVP 0\r\nc=IN IP4 203.0.113.10"},
        {"only one of two that share c=",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\ni=x\r\nm=video 2 RTP/AVP 0\r\n", "203.0.113.10:40000",
         "x-",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 40000 RTP/AVP 0\r\ni=x\r\nc=IN IP4 203.0.113.10\r\nm=video 2 RTP/AVP "
         "0\r\n"},
        {"the same at a last line without end", "v=0\nc=IN IP4 10.0.0.1\nm=audio 1 RTP/AVP 0\nm=video 2 RTP/AVP 0",
         "203.0.113.10:40000", "-x",
         "v=0\nc=IN IP4 10.0.0.1\nm=audio 1 RTP/AVP 0\nm=video 40000 RTP/AVP 0\nc=IN IP4 203.0.113.10"},
        {"a rejected stream does not hold the session's c= back",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\nm=video 0 RTP/AVP 0\r\n", "203.0.113.10:40000", "",
         "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\nm=video 0 RTP/AVP 0\r\n"},
        {"IP4 to IP6 in c= and a=rtcp",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:9 IN IP4 10.0.0.1\r\n", "[2001:db8::10]:40000", "",
         "v=0\r\nc=IN IP6 2001:db8::10\r\nm=audio 40000 RTP/AVP 0\r\na=rtcp:40001 IN IP6 2001:db8::10\r\n"},
        {"RFC 3605: port only", "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:77\r\n",
         "203.0.113.10:40000", "", "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=rtcp:40001\r\n"},
        {"muxed RTCP follows RTP", "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 8 RTP/AVP 0\r\na=rtcp:8\r\na=rtcp-mux\r\n",
         "203.0.113.10:40000", "",
         "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=rtcp:40000\r\na=rtcp-mux\r\n"},
        {"port/count keeps its count", "v=0\r\nc=IN IP4 10.0.0.1\r\nm=video 49170/2 RTP/AVP 31\r\n",
         "203.0.113.10:40000", "", "v=0\r\nc=IN IP4 203.0.113.10\r\nm=video 40000/2 RTP/AVP 31\r\n"},
        {"hold by 0.0.0.0 stays", "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\n", "203.0.113.10:40000", "",
         "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 40000 RTP/AVP 0\r\n"},
        {"hold crosses families", "v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\n", "[2001:db8::10]:40000", "",
         "v=0\r\nc=IN IP6 ::\r\nm=audio 40000 RTP/AVP 0\r\n"},
        {"hold by direction", "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=inactive\r\n", "203.0.113.10:40000",
         "", "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=inactive\r\n"},
        {"candidates and ICE words go",
         "v=0\r\nc=IN IP4 10.0.0.1\r\na=ice-lite\r\nm=audio 1 RTP/AVP 0\r\na=ice-ufrag:a\r\na=candidate:1 1 UDP 1 "
         "10.0.0.1 1 typ host\r\na=end-of-candidates\r\na=sendrecv\r\n",
         "203.0.113.10:40000", "", "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=sendrecv\r\n"},
        {"a stream that stays keeps its ICE",
         "v=0\r\na=ice-lite\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\nm=video 2 RTP/AVP 0\r\nc=IN IP4 "
         "10.0.0.1\r\na=ice-ufrag:a\r\n",
         "203.0.113.10:40000", "x-",
         "v=0\r\na=ice-lite\r\nm=audio 40000 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\nm=video 2 RTP/AVP 0\r\nc=IN IP4 "
         "10.0.0.1\r\na=ice-ufrag:a\r\n"},
        {"trickle ICE's 0.0.0.0 port 9 is no hold",
         "v=0\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:a\r\n", "203.0.113.10:40000", "",
         "v=0\r\nm=audio 40000 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\n"},
        {"RFC 4570: the receiver now hears the relay",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=source-filter: incl IN IP4 10.0.0.1 10.0.0.2 "
         "10.0.0.3\r\n",
         "203.0.113.10:40000", "",
         "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=source-filter: incl IN IP4 203.0.113.10 "
         "203.0.113.10\r\n"},
        {"RFC 4570 across families: the word goes along, also with a wildcard",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=source-filter: incl IN IP4 * 10.0.0.2\r\n",
         "[2001:db8::10]:40000", "",
         "v=0\r\nc=IN IP6 2001:db8::10\r\nm=audio 40000 RTP/AVP 0\r\na=source-filter: incl IN IP6 * 2001:db8::10\r\n"},
        {"RFC 4570: an exclusive one keeps its sources",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=source-filter: excl IN IP4 10.0.0.1 10.0.0.2\r\n",
         "203.0.113.10:40000", "",
         "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=source-filter: excl IN IP4 203.0.113.10 "
         "10.0.0.2\r\n"},
        {"RFC 4570: and says nothing about the other family",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=source-filter: excl IN IP4 10.0.0.1 "
         "10.0.0.2\r\na=x\r\n",
         "[2001:db8::10]:40000", "", "v=0\r\nc=IN IP6 2001:db8::10\r\nm=audio 40000 RTP/AVP 0\r\na=x\r\n"},
        {"RFC 8839 5.2: remote candidates go with the rest",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=remote-candidates:1 192.0.2.3 45664 2 192.0.2.3 "
         "45665\r\na=x\r\n",
         "203.0.113.10:40000", "", "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=x\r\n"},
        {"port/count to the other family",
         "v=0\r\nm=video 49170/3 RTP/AVP 31\r\nc=IN IP4 10.0.0.1\r\na=rtcp:49171 IN IP4 10.0.0.1\r\n",
         "[2001:db8::10]:40000", "",
         "v=0\r\nm=video 40000/3 RTP/AVP 31\r\nc=IN IP6 2001:db8::10\r\na=rtcp:40001 IN IP6 2001:db8::10\r\n"},
        {"a second a=rtcp is changed too",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=rtcp:2\r\na=rtcp:77 IN IP4 10.0.0.1\r\n",
         "203.0.113.10:40000", "",
         "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=rtcp:40001\r\na=rtcp:40001 IN IP4 "
         "203.0.113.10\r\n"},
        {"T.120: setup and connection stay",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=application 1503 TCP t120\r\na=setup:passive\r\na=connection:new\r\n",
         "203.0.113.10:40000", "",
         "v=0\r\nc=IN IP4 203.0.113.10\r\nm=application 40000 TCP "
         "t120\r\na=setup:passive\r\na=connection:new\r\n"},
        {"BFCP that listens (RFC 8856), and a=floorctrl is nobody's address",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=application 50000 TCP/TLS/BFCP "
         "*\r\na=setup:passive\r\na=connection:existing\r\na=floorctrl:s-only\r\na=confid:4321\r\n",
         "[2001:db8::10]:40000", "",
         "v=0\r\nc=IN IP6 2001:db8::10\r\nm=application 40000 TCP/TLS/BFCP "
         "*\r\na=setup:passive\r\na=connection:existing\r\na=floorctrl:s-only\r\na=confid:4321\r\n"},
        {"MSRP path",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=message 2855 TCP/MSRP *\r\na=path:msrp://a@10.0.0.1:2855/s1;tcp\r\n",
         "[2001:db8::10]:40000", "",
         "v=0\r\nc=IN IP6 2001:db8::10\r\nm=message 40000 TCP/MSRP "
         "*\r\na=path:msrp://a@[2001:db8::10]:40000/s1;tcp\r\n"},
        {"RFC 4145 4.1: an active side's port 9 stays",
         "v=0\r\nc=IN IP4 10.0.0.1\r\nm=application 9 TCP/BFCP *\r\na=setup:active\r\n", "203.0.113.10:40000", "",
         "v=0\r\nc=IN IP4 203.0.113.10\r\nm=application 9 TCP/BFCP *\r\na=setup:active\r\n"},
        {"a name becomes an address", "v=0\r\nc=IN IP4 host.invalid\r\nm=audio 1 RTP/AVP 0\r\n", "203.0.113.10:40000",
         "", "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\n"},
        {"no c= anywhere: the stream gets one", "v=0\r\nm=audio 1 RTP/AVP 0\r\na=x\r\n", "203.0.113.10:40000", "",
         "v=0\r\nm=audio 40000 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\na=x\r\n"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Document doc = document(c.before);
        const auto result = rewrite(doc, targets(doc, {.rtp = endpoint(c.to)}, c.which));
        REQUIRE(result);
        CHECK(result->text == c.after);
    }
}

TEST_CASE("sdp::rewrite: options") {
    const char* offer =
        "v=0\r\no=- 1 7 IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=oldmediaip:10.0.0.1\r\n";
    const Document doc = document(offer);
    SUBCASE("o= only on request") {
        const auto result = rewrite(doc, targets(doc, {.rtp = endpoint("203.0.113.10:40000")}),
                                    {.origin_address = endpoint("[2001:db8::10]:1").address, .session_version = 8});
        REQUIRE(result);
        CHECK(result->text ==
              "v=0\r\no=- 1 8 IN IP6 2001:db8::10\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\n");
        CHECK(result->edits.size() == 5);
    }
    SUBCASE("RTCP elsewhere is said, RTCP at the next port is not") {
        auto result =
            rewrite(doc, targets(doc, {.rtp = endpoint("203.0.113.10:40000"), .rtcp = endpoint("203.0.113.10:40001")}));
        REQUIRE(result);
        CHECK(result->text.find("a=rtcp") == std::string::npos);
        result =
            rewrite(doc, targets(doc, {.rtp = endpoint("203.0.113.10:40000"), .rtcp = endpoint("203.0.113.11:40005")}));
        REQUIRE(result);
        CHECK(result->text.find("RTP/AVP 0\r\na=rtcp:40005 IN IP4 203.0.113.11\r\na=old") != std::string::npos);
    }
    SUBCASE("setup is replaced or added") {
        const Document tcp = document("v=0\nc=IN IP4 10.0.0.1\nm=x 1 TCP *\na=setup:actpass\nm=y 2 TCP *");
        const auto result = rewrite(tcp, targets(tcp, {.rtp = endpoint("203.0.113.10:40000"), .setup = Setup::active}));
        REQUIRE(result);
        CHECK(result->text == "v=0\nc=IN IP4 203.0.113.10\nm=x 9 TCP *\na=setup:active\nm=y 9 TCP *\na=setup:active");
    }
    SUBCASE("RFC 4145 4.1: who listens shows its port, who connects shows 9 unless told otherwise") {
        const auto port = [&](const char* line, std::optional<Setup> setup, bool shows_port) {
            const Document tcp = document(std::string("v=0\nc=IN IP4 10.0.0.1\n") + line);
            const auto result = rewrite(
                tcp, targets(tcp, {.rtp = endpoint("203.0.113.10:40000"), .setup = setup, .shows_port = shows_port}));
            REQUIRE(result);
            return document(result->text).media()[0].port;
        };
        const char* active = "m=x 9 TCP *\na=setup:active\n";
        const char* passive = "m=x 5000 TCP *\na=setup:passive\n";
        CHECK(port(active, {}, false) == 9);
        CHECK(port(active, Setup::passive, false) == 40000);
        CHECK(port(active, Setup::actpass, false) == 40000);
        CHECK(port(passive, Setup::active, false) == 9);
        CHECK(port(passive, {}, false) == 40000);
        CHECK(port("m=x 5000 TCP *\na=setup:active\n", {}, false) == 40000);
        CHECK(port(active, {}, true) == 40000);
        CHECK(port(passive, Setup::active, true) == 40000);
    }
    SUBCASE("mux is taken away, or added, with the port of RTCP that follows from it (RFC 5761)") {
        const Document muxed = document("v=0\nc=IN IP4 10.0.0.1\nm=audio 1 RTP/AVP 0\na=rtcp:1\na=rtcp-mux\n");
        MediaTarget target{.rtp = endpoint("203.0.113.10:40000"), .mux = false};
        CHECK(rewrite(muxed, targets(muxed, target))->text ==
              "v=0\nc=IN IP4 203.0.113.10\nm=audio 40000 RTP/AVP 0\na=rtcp:40000\n");
        target.rtcp = endpoint("203.0.113.10:40001");
        CHECK(rewrite(muxed, targets(muxed, target))->text ==
              "v=0\nc=IN IP4 203.0.113.10\nm=audio 40000 RTP/AVP 0\na=rtcp:40001\n");
        const Document plain = document("v=0\nc=IN IP4 10.0.0.1\nm=audio 1 RTP/AVP 0\na=x\n");
        target = {.rtp = endpoint("203.0.113.10:40000"), .rtcp = endpoint("203.0.113.10:40000"), .mux = true};
        CHECK(rewrite(plain, targets(plain, target))->text ==
              "v=0\nc=IN IP4 203.0.113.10\nm=audio 40000 RTP/AVP 0\na=rtcp-mux\na=x\n");
    }
    SUBCASE("the profile is replaced on request") {
        const auto after = rewrite(doc, targets(doc, {.rtp = endpoint("203.0.113.10:40000"), .protocol = "RTP/AVPF"}));
        REQUIRE(after);
        CHECK(after->text.find("m=audio 40000 RTP/AVPF 0\r\n") != std::string::npos);
    }
    SUBCASE("a rejected stream hides its address on request") {
        const Document rejected = document("v=0\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\n");
        const auto all = targets(rejected, {.rtp = endpoint("203.0.113.10:40000")});
        CHECK(rewrite(rejected, all)->edits.empty());
        CHECK(rewrite(rejected, all, {.hide_rejected = true})->text ==
              "v=0\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\n");
    }
}

TEST_CASE("sdp::rewrite: our own candidates (RFC 8839, RFC 8445 5.1.2.1)") {
    CHECK(relay_candidate_priority(1) == 16777215);
    CHECK(relay_candidate_priority(2) == 16777214);
    const Document doc = document(
        "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=ice-ufrag:a\r\na=candidate:1 1 UDP 2130706431 10.0.0.1 1 "
        "typ host\r\n");
    const auto all = targets(doc, {.rtp = endpoint("203.0.113.10:40000")});
    const std::string head = "v=0\r\nc=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=ice-ufrag:a\r\n";
    const std::string theirs = "a=candidate:1 1 UDP 2130706431 10.0.0.1 1 typ host\r\n";
    const std::string ours =
        "a=candidate:natkit 1 UDP 16777215 203.0.113.10 40000 typ relay raddr 0.0.0.0 rport 9\r\n"
        "a=candidate:natkit 2 UDP 16777214 203.0.113.10 40001 typ relay raddr 0.0.0.0 rport 9\r\n";
    CHECK(rewrite(doc, all, {.ice = IcePolicy::keep})->text == head + theirs);
    CHECK(rewrite(doc, all, {.ice = IcePolicy::add})->text == head + theirs + ours);
    CHECK(rewrite(doc, all, {.ice = IcePolicy::replace})->text == head + ours);
}

TEST_CASE("sdp::rewrite: refuses, with the line, what it cannot rewrite safely") {
    struct Case {
        const char* why;
        const char* text;
        const char* to;
        const char* where;
    };
    constexpr Case cases[] = {
        {"multicast", "v=0\nc=IN IP4 224.2.1.1/127\nm=audio 1 RTP/AVP 0\n", "203.0.113.10:40000", "sdp:2"},
        {"two c= lines that differ", "v=0\nm=audio 1 RTP/AVP 0\nc=IN IP4 10.0.0.1\nc=IN IP4 10.0.0.2\n",
         "203.0.113.10:40000", "sdp:4"},
        {"IP4 that is IPv6", "v=0\nc=IN IP4 2001:db8::1\nm=audio 1 RTP/AVP 0\n", "203.0.113.10:40000", "sdp:2"},
        {"IP6 that is IPv4", "v=0\nc=IN IP6 10.0.0.1\nm=audio 1 RTP/AVP 0\n", "203.0.113.10:40000", "sdp:2"},
        {"no room for the ports", "v=0\nc=IN IP4 10.0.0.1\nm=audio 1/9 RTP/AVP 0\n", "203.0.113.10:65530", "sdp:3"},
        {"to nowhere", "v=0\nc=IN IP4 10.0.0.1\nm=audio 1 RTP/AVP 0\n", "0.0.0.0:40000", "sdp:3"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Document doc = document(c.text);
        const auto result = rewrite(doc, targets(doc, {.rtp = endpoint(c.to)}));
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::refused);
        CHECK(result.error().where == c.where);
        CHECK(rewrite(doc, targets(doc, {.rtp = endpoint(c.to)}, "-"))->text == c.text);
    }
    const Document doc = document("v=0\nm=audio 1 RTP/AVP 0\n");
    CHECK(rewrite(doc, {}).error().code == Errc::usage);
}

TEST_CASE("sdp::rewrite: edits tell the whole difference, keep is identity, twice is once (property)") {
    constexpr std::string_view lines[] = {"v=0",
                                          "o=- 1 2 IN IP4 10.0.0.1",
                                          "c=IN IP4 10.0.0.1",
                                          "c=IN IP6 fd00::1",
                                          "c=IN IP4 0.0.0.0",
                                          "m=audio 4000 RTP/AVP 0",
                                          "m=video 0 RTP/AVP 31",
                                          "m=message 9 TCP/MSRP *",
                                          "m=audio 5000/2 RTP/AVP 0",
                                          "a=rtcp:4001",
                                          "a=rtcp:4001 IN IP4 10.0.0.1",
                                          "a=rtcp-mux",
                                          "a=candidate:1 1 UDP 1 10.0.0.1 4000 typ host",
                                          "a=ice-ufrag:x",
                                          "a=source-filter: incl IN IP4 * 10.0.0.1",
                                          "a=source-filter: excl IN IP4 10.0.0.1 10.0.0.2",
                                          "a=remote-candidates:1 10.0.0.1 4000",
                                          "a=path:msrp://10.0.0.1:9/x;tcp",
                                          "a=setup:active",
                                          "a=sendonly",
                                          "i=info",
                                          "",
                                          "garbage",
                                          "a=alt:1 1 : x y 10.0.0.1 4000"};
    constexpr std::string_view ends[] = {"\r\n", "\n", "\r"};
    std::mt19937 random(7);
    const auto pick = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    unsigned rewritten = 0;
    for (int round = 0; round < 5000; ++round) {
        std::string text = "v=0\r\n";
        const std::size_t count = pick(16);
        for (std::size_t i = 0; i < count; ++i) text.append(lines[pick(std::size(lines))]).append(ends[pick(3)]);
        if (pick(2) == 0) text.append("a=last");
        CAPTURE(text);
        const Document doc = document(text);
        CHECK(rewrite(doc, std::vector<std::optional<MediaTarget>>(doc.media().size()))->text == text);
        const MediaTarget target{.rtp = endpoint(pick(2) == 0 ? "203.0.113.10:40000" : "[2001:db8::10]:40000")};
        std::vector<std::optional<MediaTarget>> some(doc.media().size());
        for (auto& one : some) {
            if (pick(4) != 0) one = target;
        }
        const auto first = rewrite(doc, some);
        if (!first) continue;
        ++rewritten;
        std::string undone = first->text;  // from the back, so that offsets stay good
        std::ptrdiff_t shift = 0;
        for (const Edit& edit : first->edits) shift += std::ssize(edit.after) - std::ssize(edit.before);
        for (std::size_t i = first->edits.size(); i-- > 0;) {
            const Edit& edit = first->edits[i];
            shift -= std::ssize(edit.after) - std::ssize(edit.before);
            undone.replace(static_cast<std::size_t>(std::ssize(std::string_view(text).substr(0, edit.offset)) + shift),
                           edit.after.size(), edit.before);
        }
        CHECK(undone == text);
        const Document again = document(first->text);
        const auto second = rewrite(again, some);
        REQUIRE(second);
        CHECK(second->text == first->text);
    }
    CHECK(rewritten > 2000);
}

TEST_CASE("sdp::rewrite: a bundle-only stream keeps its port 0 and nothing else of its own") {
    const Document doc = document(
        "v=0\r\na=group:BUNDLE a v\r\nm=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=ice-ufrag:x\r\n"
        "m=video 0 RTP/AVP 31\r\nc=IN IP4 10.0.0.5\r\na=mid:v\r\na=bundle-only\r\n"
        "a=candidate:1 1 UDP 99 10.0.0.5 4000 typ host\r\n");
    const MediaTarget target{.rtp = endpoint("203.0.113.10:40000"), .rtcp = endpoint("203.0.113.10:40007")};
    const auto done = rewrite(doc, targets(doc, target));
    REQUIRE(done);
    CHECK(done->text ==
          "v=0\r\na=group:BUNDLE a v\r\nm=audio 40000 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\na=rtcp:40007\r\na=mid:a\r\n"
          "m=video 0 RTP/AVP 31\r\nc=IN IP4 203.0.113.10\r\na=mid:v\r\na=bundle-only\r\n");
}

TEST_CASE("sdp::rewrite: two descriptions in one body are not rewritten") {
    for (const char* second : {"v=0\r\n", "o=- 2 2 IN IP4 10.0.0.5\r\n"}) {
        const Document doc =
            document("v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\nc=IN IP4 10.0.0.5\r\nm=audio 4000 RTP/AVP 0\r\n" +
                     std::string(second) + "m=audio 4000 RTP/AVP 0\r\n");
        const auto done = rewrite(doc, targets(doc, {.rtp = endpoint("203.0.113.10:40000")}));
        REQUIRE_FALSE(done);
        CHECK(done.error().code == Errc::refused);
        CHECK(done.error().where == "sdp:5");
        CHECK(rewrite(doc, std::vector<std::optional<MediaTarget>>(2)).has_value());  // nothing to be done
    }
}

TEST_CASE("sdp::rewrite: lines of kinds that broke others: nothing is read out of them, and they stay byte for byte") {
    const std::string long_number(5000, '9');
    const std::string lines[] = {
        "b=\r\n",
        "b=AS\r\n",
        "b=AS:" + long_number + "\r\n",
        "b:AS=128\r\n",
        "b\r\n",
        "a=crypto:" + long_number + " AES_CM_128_HMAC_SHA1_80 inline:" + std::string(20'000, 'A') + "|2^" +
            long_number + "|" + long_number + ":" + long_number + "\r\n",
        "a=crypto:\r\na=crypto:1\r\na=crypto\r\n",
        "a=ptime:" + long_number + "\r\na=ptime:-1\r\na=ptime:\r\na=maxptime:4294967296\r\n",
        "a=rtpmap:" + long_number + " x/" + long_number + "/" + long_number + "\r\na=fmtp:\r\n",
        "a=mid:\r\na=mid:" + std::string(20'000, 'm') + "\r\na=rtcp:" + long_number + "\r\n",
        "a=candidate:" + long_number + "\r\na=candidate:1 1 UDP 1 10.0.0.1 " + long_number + " typ host\r\n",
        "t=" + long_number + " " + long_number + "\r\nk=\r\nr=7d\r\n",
    };
    const MediaTarget target{.rtp = endpoint("203.0.113.10:40000")};
    for (const std::string& line : lines) {
        CAPTURE(line.substr(0, 60));
        for (const bool in_session : {true, false}) {
            const std::string text = "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\nc=IN IP4 10.0.0.5\r\n" +
                                     (in_session ? line : std::string()) + "m=audio 4000 RTP/AVP 0\r\n" +
                                     (in_session ? std::string() : line);
            const Document doc = document(text);
            const auto done = rewrite(doc, targets(doc, target), {.ice = IcePolicy::keep});
            REQUIRE(done);
            CHECK(done->text.contains(line.substr(0, line.find("a=rtcp:"))));
            CHECK(done->text.contains("c=IN IP4 203.0.113.10\r\n"));
            CHECK(done->text.contains("m=audio 40000 RTP/AVP 0\r\n"));
        }
    }
}

TEST_CASE("sdp::rewrite: a hold by 0.0.0.0 said by a direction") {
    struct Case {
        const char* why;
        const char* before;
        const char* after;
    };
    constexpr Case cases[] = {
        {"of the session", "c=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n",
         "c=IN IP4 203.0.113.10\r\nm=audio 40000 RTP/AVP 0\r\na=sendonly\r\n"},
        {"of the stream, with a direction",
         "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=ptime:20\r\na=sendrecv\r\n",
         "m=audio 40000 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\na=ptime:20\r\na=sendonly\r\n"},
        {"that does not send either", "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=recvonly\r\n",
         "m=audio 40000 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\na=inactive\r\n"},
        {"an address is no hold", "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\n",
         "m=audio 40000 RTP/AVP 0\r\nc=IN IP4 203.0.113.10\r\n"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const Document doc = document(c.before);
        const auto result =
            rewrite(doc, targets(doc, {.rtp = endpoint("203.0.113.10:40000")}), {.replace_zero_address = true});
        REQUIRE(result);
        CHECK(result->text == c.after);
    }
}
