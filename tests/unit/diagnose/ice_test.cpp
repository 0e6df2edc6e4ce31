#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

MediaDescription with_candidate(const char* rtp) {
    MediaDescription media = audio(rtp);
    media.candidates = {media.rtp->address};
    return media;
}

}  // namespace

TEST_CASE("diagnose: media goes around the relay by candidates that were left in") {
    CallFacts facts = relayed_call(with_candidate(caller_media), with_candidate(callee_media));
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
    CHECK(found(facts) == "ice-around-relay");
    CHECK(sentence(facts) ==
          "Media goes from 203.0.113.9 to 203.0.113.20 directly (50 packets), around the relay at 203.0.113.5:30000: "
          "ICE candidates were left in the session description.");
    SUBCASE("one hop alone: c= is none of the candidates") {
        std::erase_if(facts.call.descriptions, [](const SessionDescription& one) { return one.vias == 2; });
        CHECK(found(facts) == "ice-around-relay");
    }
    SUBCASE("nothing goes directly") {
        facts.rtp = {rtp(caller_media, relay_to_caller), rtp(relay_to_callee, callee_media),
                     rtp(callee_media, relay_to_callee, 40, 2), rtp(relay_to_caller, caller_media, 40, 2)};
        CHECK(found(facts).empty());
    }
    SUBCASE("no relay: candidates that name the address in c=") {
        CallFacts direct = direct_call(with_candidate(caller_media), with_candidate(callee_media));
        direct.rtp = facts.rtp;
        CHECK(found(direct).empty());
    }
}
