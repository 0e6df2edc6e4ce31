#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: packets that go in a circle explain all that is missing") {
    CallFacts facts = relayed_call();
    RtpStream circle = rtp(relay_to_callee, relay_to_caller, 400);
    circle.repeats = 350;
    facts.rtp = {rtp(caller_media, relay_to_caller), circle};
    CHECK(found(facts) == "media-loop both");
    CHECK(sentence(facts) ==
          "Neither hears the other: the same packets pass again and again from 203.0.113.5:30010 to 203.0.113.5:30000 "
          "(350 packets of 400 had "
          "been there before): a media loop.");
    SUBCASE("by way of another relay") {
        circle = rtp(relay_to_callee, "203.0.113.70:40000", 400);
        RtpStream back = rtp("203.0.113.70:40010", relay_to_caller, 400);
        circle.repeats = back.repeats = 350;
        facts.rtp = {facts.rtp[0], circle, back};
        CHECK(found(facts) == "media-loop both");
        CHECK(sentence(facts).find("from 203.0.113.5:30010 to 203.0.113.70:40000, and back from 203.0.113.70:40010 to "
                                   "203.0.113.5:30000 (") != std::string::npos);
        CHECK(diagnose(facts).findings[0].change.starts_with("203.0.113.5 and 203.0.113.70 send to each other: "));
        return;
    }
    SUBCASE("routers do it: their time to live goes down") {
        facts.rtp[1].most_hops = 62;
        facts.rtp[1].least_hops = 1;
        CHECK(found(facts).find("never-arrives callee") != std::string::npos);
        CHECK(found(facts).find("media-loop") == std::string::npos);
        return;
    }
    facts.rtp[1].repeats = 300;  // four times each: a capture on all ports of a bridge
    CHECK(found(facts) == "relay-to-itself callee, nothing-sent caller");
}
