#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: RTP from another place than the session description says") {
    constexpr const char* elsewhere = "203.0.113.9:61000";
    struct Row {
        const char* why;
        const char* source;
        unsigned packets;
        const char* answered_to;
        bool want;
    };
    constexpr Row rows[] = {
        {"from another port, answered to the one in SDP", elsewhere, 50, caller_media, true},
        {"answered to where it comes from: symmetric RTP", elsewhere, 50, elsewhere, false},
        {"from where it said", caller_media, 50, caller_media, false},
        {"a few stray packets", elsewhere, 4, caller_media, false},
        {"of somebody else", "192.0.2.99:4000", 50, caller_media, false},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        CallFacts facts = direct_call();
        facts.rtp = {rtp(c.source, callee_media, c.packets), rtp(callee_media, c.answered_to, 50, 2)};
        const Case one(facts);
        const Stream& stream = one.streams()[0];
        Findings findings;
        CHECK(sends_from_elsewhere(one, stream.to_caller, stream.to_callee, findings) == c.want);
        REQUIRE(findings.all().size() == (c.want ? 1 : 0));
        if (c.want) CHECK(findings.all()[0].hears_nothing == End::caller);
    }
}

TEST_CASE("diagnose: packets of one stream on both sides of a NAT count once") {
    const RtpStream inside = rtp("192.168.1.5:4000", callee_media), outside = rtp("198.51.100.7:61000", callee_media);
    RtpStream later = outside;
    later.first_ns = 20 * second;
    later.last_ns = 30 * second;
    struct Case {
        const char* why;
        std::vector<const RtpStream*> streams;
        std::uint64_t want;
    };
    const std::vector<RtpStream> all = {inside, outside, later};
    const Case cases[] = {{"at the same time", {&all[0], &all[1]}, 50}, {"later", {&all[0], &all[2]}, 100}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(packets_of(c.streams) == c.want);
    }
}
