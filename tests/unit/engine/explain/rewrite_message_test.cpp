#include "natkit/engine/explain/rewrite_message.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::explain;

namespace {

Result<RewrittenMessage> rewrite(const std::string& bytes) {
    const auto message = sip::Message::parse(bytes);
    REQUIRE(message);
    const auto choose = [](const sdp::Document& document,
                           std::size_t) -> Result<std::vector<std::optional<sdp::MediaTarget>>> {
        return std::vector<std::optional<sdp::MediaTarget>>(
            document.media().size(), sdp::MediaTarget{.rtp = *Endpoint::parse("203.0.113.10:40000")});
    };
    return rewrite_message(*message, choose, {});
}

std::string invite(const std::string& headers, const std::string& body, const std::string& length = {}) {
    return "INVITE sip:b@example.com SIP/2.0\r\n" + headers +
           "Content-Length:   " + (length.empty() ? std::to_string(body.size()) : length) + " \r\n\r\n" + body;
}

const std::string offer = "v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 0";
const std::string moved = "v=0\nc=IN IP4 203.0.113.10\nm=audio 40000 RTP/AVP 0";

}  // namespace

TEST_CASE("explain::rewrite_message: SDP moves, Content-Length follows, the rest stays") {
    const std::string sdp = "Content-Type: application/sdp\r\n";
    auto result = rewrite(invite(sdp, offer));
    REQUIRE(result);
    CHECK(result->bytes == invite(sdp, moved));
    CHECK(result->edits.size() == 2);
    CHECK(result->edits[0].line == 6);

    const std::string mixed = "c: multipart/mixed;boundary=x\r\n";
    const auto parts = [](const std::string& description) {
        return "--x\r\nContent-Type: text/plain\r\n\r\nhi 10.0.0.1\r\n--x\r\nContent-Type: application/sdp\r\n\r\n" +
               description + "\r\n--x--\r\n";
    };
    result = rewrite(invite(mixed, parts(offer)));
    REQUIRE(result);
    CHECK(result->bytes == invite(mixed, parts(moved)));

    const std::string bare = "INVITE sip:b@example.com SIP/2.0\nContent-Type: application/sdp\n\n";
    result = rewrite(bare + offer);  // no Content-Length: none is made
    REQUIRE(result);
    CHECK(result->bytes == bare + moved);
    CHECK(rewrite(invite("", "v=0 but no type"))->bytes == invite("", "v=0 but no type"));
}

TEST_CASE("explain::rewrite_message: refuses what it would damage, with a position") {
    struct Case {
        const char* why;
        std::string bytes;
        const char* where;
    };
    const std::string sdp = "Content-Type: application/sdp\r\n";
    const std::vector<Case> cases = {
        {"signed",
         invite("Content-Type: multipart/signed;boundary=x\r\n",
                "--x\r\nContent-Type: application/sdp\r\n\r\n" + offer + "\r\n--x--"),
         "line 5"},
        {"compressed", invite(sdp + "Content-Encoding: gzip\r\n", offer), "line 3"},
        {"auth-int", invite(sdp + "Authorization: Digest qop=auth-int, nc=1\r\n", offer), "line 3"},
        {"RFC 4474", invite(sdp + "Identity-Info: <https://x>;alg=rsa-sha1\r\n", offer), "line 3"},
        {"Content-Length too small", invite(sdp, offer, "20"), "line 3"},
        {"Content-Length too large", invite(sdp, offer, "2000"), "line 3"},
        {"Content-Length no number", invite(sdp, offer, "many"), "line 3"},
        {"two of them", invite(sdp + "l: 3\r\n", offer), "line 4"},
        {"multicast", invite(sdp, "v=0\nc=IN IP4 224.2.1.1/127\nm=audio 4000 RTP/AVP 0"), "line 6"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto result = rewrite(c.bytes);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::refused);
        CHECK(result.error().where == c.where);
    }
}
