#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

Request bye(End sender, std::int64_t at_ns) {
    Request request{.method = "BYE", .cseq = 9, .copies = 1, .status = 200, .sender = sender};
    request.source = endpoint(sender == End::caller ? "203.0.113.9:5060" : "203.0.113.20:5060");
    request.destination = endpoint(sender == End::caller ? "203.0.113.20:5060" : "203.0.113.9:5060");
    request.first_ns = request.last_ns = at_ns;
    request.frame = 70;
    request.in_dialog = true;
    request.vias = 1;
    return request;
}

/// A call of a minute in which the callee's packets end at 9 s.
CallFacts stops() {
    CallFacts facts = direct_call();
    facts.call.last_ns = 60 * second;
    facts.rtp = {rtp(caller_media, callee_media, 3000), rtp(callee_media, caller_media, 400, 2)};
    facts.rtp[0].last_ns = 60 * second;
    return facts;
}

Finding named(const CallFacts& facts, Cause cause) {
    for (const Finding& one : diagnose(facts).findings) {
        if (one.cause == cause) return one;
    }
    FAIL("not found");
    return {};
}

}  // namespace

TEST_CASE("diagnose: both directions dead by one cause are one finding") {
    CallFacts facts = direct_call(audio("192.168.1.5:4000"), audio("10.0.0.9:4002"));
    facts.call.caller_source = endpoint("198.51.100.7:40001");
    facts.call.callee_source = endpoint("203.0.113.20:5060");
    facts.rtp = {rtp("198.51.100.7:61000", "10.0.0.9:4002", 40), rtp("203.0.113.20:4002", "192.168.1.5:4000", 50, 2)};
    CHECK(found(facts) == "private-address-in-sdp both");
    CHECK(sentence(facts) ==
          "Neither hears the other: the callee at 203.0.113.20 is told to send to 192.168.1.5:4000, a private address "
          "it cannot reach (50 packets went there in vain); the caller at 198.51.100.7 is told to send to "
          "10.0.0.9:4002, a private address it cannot reach (40 packets went there in vain).");
    SUBCASE("by two causes they are two") {
        facts = direct_call(audio("192.168.1.5:4000"), audio(callee_media));
        facts.call.caller_source = endpoint("198.51.100.7:40001");
        facts.rtp = {rtp("198.51.100.7:61000", "203.0.113.20:4003", 40), rtp(callee_media, "192.168.1.5:4000", 50, 2)};
        CHECK(found(facts) == "wrong-port callee, private-address-in-sdp caller");
    }
}

TEST_CASE("diagnose: a BYE that says that no media came") {
    CallFacts facts = direct_call();
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
    facts.call.requests = {bye(End::callee, 9 * second)};
    const auto with_reason = [&](const char* text) {
        facts.call.requests[0].reason = text;
        return found(facts);
    };
    for (const char* words :
         {"MEDIA_TIMEOUT", "RTP timeout", "No RTP received", "Media inactivity", "Broken connection"}) {
        CAPTURE(words);
        CHECK(with_reason(words) == "hung-up callee");
        CHECK(diagnose(facts).broken());
        CHECK(diagnose(facts).outcome == Outcome::dropped);
    }
    for (const char* words : {"", "Normal call clearing", "Call completed elsewhere", "media renegotiated", "lost"}) {
        CAPTURE(words);
        CHECK(with_reason(words).empty());
    }
    SUBCASE("and the capture shows why") {
        facts.rtp.erase(facts.rtp.begin());
        CHECK(with_reason("MEDIA_TIMEOUT") == "nothing-sent callee (hung-up callee)");
    }
}

TEST_CASE("diagnose: what comes of a fault stands behind it and is none of its own") {
    SUBCASE("who hears nothing hangs up") {
        CallFacts facts = stops();
        facts.call.requests = {bye(End::caller, 60 * second)};
        CHECK(found(facts) == "stopped caller (hung-up)");
        const Finding end = named(facts, Cause::hung_up);
        CHECK(end.follows_from == Cause::stopped);
        CHECK(harmless(end));
        CHECK(end.sentence == "The caller ended the call at 60.0 s (BYE, frame 70).");
        CHECK(end.frames == std::vector<std::uint64_t>{70});
    }
    SUBCASE("the other party hangs up: that is no consequence") {
        CallFacts facts = stops();
        facts.call.requests = {bye(End::callee, 60 * second)};
        CHECK(found(facts) == "stopped caller");
    }
    SUBCASE("who hears nothing says nothing, before long") {
        CallFacts facts = direct_call(audio("192.168.1.5:4000"), audio(callee_media));
        facts.call.caller_source = endpoint("198.51.100.7:40001");
        facts.call.last_ns = 60 * second;
        facts.rtp = {rtp("198.51.100.7:61000", callee_media, 400), rtp(callee_media, "192.168.1.5:4000", 3000, 2)};
        facts.rtp[1].last_ns = 60 * second;
        CHECK(found(facts) == "private-address-in-sdp caller (stopped callee)");
    }
    SUBCASE("a 200 that nobody acknowledges ends the call") {
        CallFacts facts = direct_call();
        facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
        Request invite = bye(End::caller, 0);
        invite.method = "INVITE";
        invite.cseq = 1;
        invite.in_dialog = false;
        invite.responses = {{.status = 200, .frame = 4, .last_ns = 32 * second, .copies = 8}};
        facts.call.requests = {invite, bye(End::callee, 33 * second)};
        CHECK(found(facts) == "ack-lost (hung-up)");
        facts.call.requests[1].sender = End::caller;
        CHECK(found(facts) == "ack-lost");
    }
}

TEST_CASE("diagnose: a relay that fails one direction fails the other") {
    CallFacts facts = relayed_call();
    facts.rtp = {rtp(caller_media, relay_to_caller), rtp(relay_to_caller, caller_media),
                 rtp(callee_media, relay_to_callee, 50, 2)};
    CHECK(found(facts) == "echo both (relay-not-joined caller)");
}
