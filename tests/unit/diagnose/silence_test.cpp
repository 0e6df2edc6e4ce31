#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: no packet of one direction") {
    struct Case {
        const char* why;
        unsigned packets;  ///< of the other direction
        natkit::sdp::Direction answer;
        const char* want;
    };
    using natkit::sdp::Direction;
    constexpr Case cases[] = {
        {"while the other one is there", 50, Direction::sendrecv, "nothing-sent caller"},
        {"and hardly any of the other one: the capture may be short", 9, Direction::sendrecv, ""},
        {"the callee said that it would send nothing", 50, Direction::recvonly, "one-way-agreed caller"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        MediaDescription answer = audio(callee_media);
        answer.direction = c.answer;
        CallFacts facts = direct_call(audio(caller_media), answer);
        facts.rtp = {rtp(caller_media, callee_media, c.packets)};
        CHECK(found(facts) == c.want);
    }
}

TEST_CASE("diagnose: a call of a hundred years, as clocks that lie make it") {
    CallFacts facts = direct_call();
    facts.call.last_ns = 4'200'000'000 * second;
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 400, 2)};
    facts.rtp[1].last_ns = facts.call.last_ns;
    CHECK(found(facts).empty());
}

TEST_CASE("diagnose: a call without an answer in the capture is not judged by its media") {
    CallFacts facts = direct_call();
    facts.call.descriptions.pop_back();
    facts.rtp = {rtp(callee_media, caller_media)};
    CHECK(found(facts).empty());
}

TEST_CASE("diagnose: a picture that one side does not send, while it is heard") {
    MediaDescription seen = audio("203.0.113.9:4010"), shown = audio("203.0.113.20:4012");
    seen.kind = shown.kind = "video";
    CallFacts facts = direct_call();
    facts.call.descriptions[0].streams.push_back(seen);
    facts.call.descriptions[1].streams.push_back(shown);
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2),
                 rtp("203.0.113.9:4010", "203.0.113.20:4012", 90, 3)};
    CHECK(found(facts) == "silence-suppression");
    SUBCASE("it is not heard either") {
        facts.rtp.erase(facts.rtp.begin() + 1);
        CHECK(found(facts).starts_with("nothing-sent caller"));
    }
}
