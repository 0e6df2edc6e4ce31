#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: contradictions in a message are a gateway's") {
    CallFacts facts = direct_call();
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
    CHECK(found(facts).empty());
    facts.call.contradictions = {{.field = "SDP o=", .value = "192.168.1.5"},
                                 {.field = "Contact", .value = "10.0.0.1"}};
    CHECK(found(facts) == "alg-damage");
    CHECK(sentence(facts) ==
          "A gateway on the way changed the messages and left them contradicting each other (SDP o= 192.168.1.5; "
          "Contact 10.0.0.1).");
    CHECK(diagnose(facts).findings[0].confidence == Confidence::inferred);  // nobody saw a gateway
    facts.rtp.pop_back();                                                   // and media is judged all the same
    CHECK(found(facts) == "alg-damage, nothing-sent caller");
}

TEST_CASE("diagnose: what a box that is no hop of SIP changed is told line by line") {
    CallFacts facts = direct_call();
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
    facts.call.rewrites = {
        {.before = 1,
         .after = 2,
         .source = endpoint("192.168.1.5:5060"),
         .source_after = endpoint("203.0.113.9:5060"),
         .lines = {{"Contact", "<sip:a@192.168.1.5>", "<sip:a@203.0.113.9>"}, {"SDP a=candidate", "candidate:1", ""}}}};
    CHECK(found(facts) == "alg-rewrites");
    CHECK_FALSE(diagnose(facts).broken());
    CHECK(sentence(facts) ==
          "Between 192.168.1.5:5060 (frame 1) and 203.0.113.9:5060 (frame 2) a box that is no hop of SIP changed the "
          "INVITE: Contact: <sip:a@192.168.1.5> became <sip:a@203.0.113.9>; SDP a=candidate: candidate:1 was left out. "
          "The messages still fit together: that is no failure by itself.");
    facts.call.contradictions = {{.field = "SDP o=", .value = "192.168.1.5"}};
    CHECK(found(facts) == "alg-damage");
    CHECK(diagnose(facts).findings[0].confidence == Confidence::seen);
    CHECK(sentence(facts).find("(SDP o= 192.168.1.5). Between 192.168.1.5:5060 (frame 1)") != std::string::npos);
}
