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
    facts.rtp.pop_back();  // and media is judged all the same
    CHECK(found(facts) == "alg-damage, nothing-sent caller");
}
