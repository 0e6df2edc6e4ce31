#include "natkit/engine/explain/rewrites.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit::explain;

TEST_CASE("explain::changed_lines: each line with what stands for it") {
    const std::string before =
        "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.5;branch=z9hG4bK1\r\nContact: "
        "<sip:a@192.168.1.5>\r\n"
        "Supported: ice\r\nContent-Length: 60\r\n\r\nv=0\r\nc=IN IP4 192.168.1.5\r\nm=audio 4000 RTP/AVP 0\r\n"
        "a=candidate:1 1 UDP 1 192.168.1.5 4000 typ host\r\n";
    std::string after = before;
    CHECK(changed_lines(before, after).empty());
    const auto replace = [&](const std::string& from, const std::string& to) {
        after.replace(after.find(from), from.size(), to);
    };
    replace("Contact: <sip:a@192.168.1.5>", "Contact: <sip:a@203.0.113.9>");
    replace("Supported: ice\r\n", "");
    replace("c=IN IP4 192.168.1.5", "c=IN IP4 203.0.113.9");
    replace("a=candidate:1 1 UDP 1 192.168.1.5 4000 typ host\r\n", "a=sendrecv\r\n");
    const auto lines = changed_lines(before, after);
    REQUIRE(lines.size() == 5);
    struct Want {
        const char *subject, *before, *after;
    };
    constexpr Want wants[] = {{"Contact", "<sip:a@192.168.1.5>", "<sip:a@203.0.113.9>"},
                              {"Supported", "ice", ""},
                              {"SDP c=", "IN IP4 192.168.1.5", "IN IP4 203.0.113.9"},
                              {"SDP a=candidate", "candidate:1 1 UDP 1 192.168.1.5 4000 typ host", ""},
                              {"SDP a=sendrecv", "", "sendrecv"}};
    for (std::size_t i = 0; i < lines.size(); ++i) {
        CHECK(lines[i].subject == wants[i].subject);
        CHECK(lines[i].before == wants[i].before);
        CHECK(lines[i].after == wants[i].after);
    }
    CHECK(changed_lines("", "x").empty());
    CHECK(changed_lines("a\n\n\n", "b\n:\n=\n").size() == 2);
}
