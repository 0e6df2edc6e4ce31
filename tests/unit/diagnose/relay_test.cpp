#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: a relay that sends nothing on") {
    CallFacts facts = relayed_call();
    const RtpStream in = rtp(caller_media, relay_to_caller);
    const RtpStream back_in = rtp(callee_media, relay_to_callee, 40, 2);
    SUBCASE("in neither direction: not joined, told once") {
        facts.rtp = {in, back_in};
        CHECK(found(facts) == "relay-not-joined both");
        CHECK(sentence(facts).ends_with("its two legs are not joined."));
        CHECK(diagnose(facts).findings[0].change.find("encrypted") == std::string::npos);
    }
    SUBCASE("of encrypted media: it may be that it cannot read it") {
        for (SessionDescription& one : facts.call.descriptions) one.streams[0].encryption = Encryption::sdes;
        facts.rtp = {in, back_in};
        CHECK(found(facts) == "relay-not-joined both");
        CHECK(diagnose(facts).findings[0].change.find("keys of its own") != std::string::npos);
    }
    SUBCASE("the other party never came") {
        facts.rtp = {in};
        CHECK(found(facts) == "relay-not-joined both (nothing-sent caller)");
        CHECK(
            diagnose(facts).findings[0].sentence ==
            "The caller sends to the relay at 203.0.113.5:30000 (50 packets), and the relay sends nothing on: its two "
            "legs are not joined, the other party never came.");
    }
    SUBCASE("in one direction: it refuses the source") {
        facts.rtp = {in, back_in, rtp(relay_to_caller, caller_media, 40, 2)};
        CHECK(found(facts) == "relay-swallows callee");
        CHECK(sentence(facts).ends_with("does not send them on, though it serves the other direction."));
    }
}

TEST_CASE("diagnose: a party that sends back what it gets is no relay that does") {
    CallFacts facts = relayed_call();
    facts.rtp = {rtp(caller_media, relay_to_caller), rtp(relay_to_callee, callee_media),
                 rtp(callee_media, relay_to_callee), rtp(relay_to_caller, caller_media)};
    CHECK(found(facts).empty());
    SUBCASE("the relay does it") {
        facts.rtp.erase(facts.rtp.begin() + 1, facts.rtp.begin() + 3);
        CHECK(found(facts).starts_with("echo"));
    }
}
