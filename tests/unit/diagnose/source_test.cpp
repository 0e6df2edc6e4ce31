#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: RTP from another place than the session description says") {
    constexpr const char* elsewhere = "203.0.113.9:61000";
    struct Row {
        const char* why;
        const char* source;
        unsigned packets;
        const char* answered_to;
        bool behind_nat;
        const char* want;
    };
    constexpr Row rows[] = {
        {"from another mapping, answered to the one in SDP", elsewhere, 50, caller_media, true,
         "rtp-from-elsewhere caller"},
        {"without a NAT it may hear at another port", elsewhere, 50, caller_media, false, ""},
        {"answered to where it comes from: symmetric RTP", elsewhere, 50, elsewhere, true, ""},
        {"from where it said", caller_media, 50, caller_media, true, ""},
        {"a few stray packets", elsewhere, 4, caller_media, true, "nothing-sent callee"},
        {"of somebody else", "192.0.2.99:4000", 50, caller_media, true, ""},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        CallFacts facts = direct_call();
        facts.call.behind_nat[0] = c.behind_nat;
        facts.rtp = {rtp(c.source, callee_media, c.packets), rtp(callee_media, c.answered_to, 50, 2)};
        CHECK(found(facts) == c.want);
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
        CHECK(packets_of(c.streams, 0, 60 * second) == c.want);
    }
}
