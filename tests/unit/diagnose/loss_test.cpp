#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

RtpStream report(const char* from, const char* to) {
    RtpStream stream = rtp(from, to, 0);
    stream.rtcp = 1;
    return stream;
}

}  // namespace

TEST_CASE("diagnose: RTCP says that more was sent than came as far as the capture") {
    CallFacts facts = direct_call();
    RtpStream sender = report("203.0.113.9:4001", "203.0.113.20:4003");
    sender.reported_sent = 240;
    facts.rtp = {sender, rtp(callee_media, caller_media, 50, 2)};
    CHECK(found(facts) == "never-arrives callee");
    CHECK(sentence(facts) ==
          "The callee hears nothing: the caller says (RTCP) it sent 240 packets, and none of them got as far as the "
          "capture.");
    SUBCASE("with RTCP on the port of RTP (RFC 5761)") {
        facts.rtp[0].destination = endpoint(callee_media);
        CHECK(found(facts) == "never-arrives callee");
    }
    SUBCASE("by another host than its media comes from: the capture is of that one alone") {
        facts.rtp = {facts.rtp[0]};
        facts.rtp[0].source = endpoint("203.0.113.8:4001");
        CHECK(found(facts).empty());
    }
    SUBCASE("nobody claims anything") {
        facts.rtp[0].reported_sent = 0;
        CHECK(found(facts) == "nothing-sent callee");
    }
    SUBCASE("c= is a name, only RTCP has an address: nothing can be said about RTP") {
        facts.call.descriptions[1].streams[0].rtp.reset();
        CHECK(found(facts).empty());
    }
}

TEST_CASE("diagnose: RTCP says that nothing arrives of what passed the capture") {
    struct Case {
        const char* why;
        unsigned loss;  ///< per cent
        const char* want;
    };
    constexpr Case cases[] = {{"all", 99, "never-arrives callee"}, {"some: it hears something", 60, ""}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CallFacts facts = direct_call();
        RtpStream receiver = report("203.0.113.20:4003", "203.0.113.9:4001");
        receiver.reported_loss = c.loss;
        facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2), receiver};
        CHECK(found(facts) == c.want);
    }
}
