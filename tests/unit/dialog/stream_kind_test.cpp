#include "natkit/dialog/stream_kind.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;

namespace {

/// The stream of a description with this m= line and one more line.
sdp::Document document(const std::string& media, const std::string& more = "a=sendrecv") {
    return sdp::Document::parse("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=" + media +
                                "\r\n" + more + "\r\n")
        .value();
}

}  // namespace

TEST_CASE("dialog::kind_of: what the relay has to do for an m= line") {
    struct Case {
        const char* media;
        relay::Stream want;
    };
    const Case cases[] = {
        {"audio 4000 RTP/AVP 0", relay::Stream::rtp},         {"video 4000 UDP/TLS/RTP/SAVPF 96", relay::Stream::rtp},
        {"image 4000 udptl t38", relay::Stream::udp},         {"application 4000 UDP/BFCP *", relay::Stream::udp},
        {"application 4000 TCP/BFCP *", relay::Stream::tcp},  {"message 4000 TCP/TLS/MSRP *", relay::Stream::tcp},
        {"application 1503 TCP t120", relay::Stream::t120},   {"application 1503 tcp T120", relay::Stream::t120},
        {"application 1503 TCP msdata", relay::Stream::t120}, {"application 1503 TCP  wb t120", relay::Stream::t120},
        {"application 4000 udp t120", relay::Stream::udp},
    };
    for (const Case& c : cases) {
        CAPTURE(c.media);
        CHECK(dialog::kind_of(document(c.media).media().front()) == c.want);
    }
}

TEST_CASE("dialog::role_in: a=setup, or what its absence means") {
    const auto role = [](const char* media, const char* more, bool offers) {
        return dialog::role_in(document(media, more).media().front(), offers);
    };
    CHECK_FALSE(role("audio 4000 RTP/AVP 0", "a=setup:active", true));  // of DTLS: nobody connects
    CHECK(role("application 4000 TCP/BFCP *", "a=setup:passive", true) == sdp::Setup::passive);
    CHECK(role("application 4000 TCP/BFCP *", "a=setup:actpass", true) == sdp::Setup::actpass);
    CHECK(role("application 4000 TCP/BFCP *", "a=sendrecv", true) == sdp::Setup::active);
    CHECK(role("application 4000 TCP/BFCP *", "a=sendrecv", false) == sdp::Setup::passive);
    CHECK(role("application 1503 TCP t120", "a=sendrecv", true) == sdp::Setup::passive);
    CHECK(role("application 1503 TCP t120", "a=sendrecv", false) == sdp::Setup::active);
}
