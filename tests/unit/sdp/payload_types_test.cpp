#include "natkit/sdp/payload_types.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("sdp: the codec that an answer begins with") {
    struct Case {
        const char* why;
        const char* media;
        const char* codec;
    };
    const Case cases[] = {
        {"a type that needs no rtpmap", "m=audio 4000 RTP/AVP 8 0\r\n", "PCMA"},
        {"rtpmap says more", "m=audio 4000 RTP/AVP 96 0\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 opus/48000/2\r\n",
         "OPUS"},
        {"that of a longer number is another's", "m=audio 4000 RTP/AVP 9\r\na=rtpmap:96 opus/48000/2\r\n", "G722"},
        {"a type that means nothing", "m=audio 4000 RTP/AVP 111\r\n", "111"},
        {"a format that is no number", "m=image 4000 udptl t38\r\n", "T38"},
        {"no format", "m=audio 4000 RTP/AVP\r\n", ""},
        {"control bytes are escaped", "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 \x1b[2J/8000\r\n", "\\X1B[2J"},
        {"a name without end is cut", "m=x 4000 y aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", nullptr},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto document = sdp::Document::parse("v=0\r\nc=IN IP4 192.0.2.1\r\n" + std::string(c.media)).value();
        const std::string codec = sdp::first_codec(document, document.media().at(0));
        CHECK(codec.size() <= 40);
        if (c.codec != nullptr) CHECK(codec == c.codec);
    }
}
