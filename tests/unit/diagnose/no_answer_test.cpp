#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: calls that did not come to media") {
    CallFacts facts = direct_call();
    facts.call.answered = false;
    SUBCASE("refused") {
        facts.call.failure = 486;
        CHECK(sentence(facts) == "The call was refused (486) before any media.");
    }
    SUBCASE("no final answer") {
        CHECK(sentence(facts) == "The capture has an offer and no final answer: no media was to flow yet.");
    }
    CHECK(found(facts) == "not-answered");
    CHECK(row(Cause::not_answered).harm == Harm::none);
    facts.rtp = {rtp(caller_media, callee_media)};  // the capture lacks the answer: media is judged
    CHECK(found(facts) == "nothing-sent caller");
}
