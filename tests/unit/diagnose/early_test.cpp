#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

constexpr const char* announcer = "203.0.113.30:6000";

/// 183 at 1 s, 200 at 4 s.
CallFacts rings(const char* early_media) {
    CallFacts facts = direct_call();
    facts.call.last_ns = 20 * second;
    auto& all = facts.call.descriptions;
    SessionDescription early = all[1];
    early.status = 183;
    early.time_ns = second;
    early.streams = {audio(early_media)};
    all[1].time_ns = 4 * second;
    all[1].frame = 6;
    all.insert(all.begin() + 1, early);
    return facts;
}

RtpStream flows(const char* source, const char* destination, std::int64_t from_s, std::int64_t to_s,
                std::uint32_t ssrc) {
    RtpStream stream = rtp(source, destination, static_cast<std::uint64_t>(to_s - from_s) * 50, ssrc);
    stream.first_ns = from_s * second;
    stream.last_ns = to_s * second;
    stream.first_frame = 10 + ssrc;
    return stream;
}

}  // namespace

TEST_CASE("diagnose: early media is information") {
    CallFacts facts = rings(callee_media);
    facts.rtp = {flows(callee_media, caller_media, 1, 20, 2), flows(caller_media, callee_media, 4, 20, 1)};
    CHECK(found(facts) == "early-media");
    CHECK(
        sentence(facts) ==
        "The callee's side sends media before the call is answered (early media, announced by the 183 in frame 2): 150 "
        "packets from 1.0 s to 4.0 s. That is usual for ringing tones and announcements, and no failure.");
    CHECK_FALSE(diagnose(facts).broken());
    facts.rtp[0].first_ns = 4 * second;  // nothing before the answer
    CHECK(found(facts).empty());
}

TEST_CASE("diagnose: a second description in one early dialog") {
    CallFacts facts = rings(announcer);
    SUBCASE("the caller follows the new one") {
        facts.rtp = {flows(announcer, caller_media, 1, 4, 3), flows(callee_media, caller_media, 4, 20, 2),
                     flows(caller_media, callee_media, 4, 20, 1)};
        CHECK(found(facts) == "early-media, second-answer");
        CHECK_FALSE(diagnose(facts).broken());
    }
    SUBCASE("both stay with the first one, which counts") {
        facts.rtp = {flows(announcer, caller_media, 1, 20, 3), flows(caller_media, announcer, 2, 20, 1)};
        CHECK(found(facts) == "early-media, second-answer");
        CHECK_FALSE(diagnose(facts).broken());
    }
    SUBCASE("the caller stays, the callee moves") {
        facts.rtp = {flows(announcer, caller_media, 1, 4, 3), flows(callee_media, caller_media, 4, 20, 2),
                     flows(caller_media, announcer, 2, 20, 1)};
        CHECK(found(facts) == "stale-endpoint callee, early-media, second-answer");
        CHECK(diagnose(facts).findings[0].sentence.find(
                  "the first answer of this dialog, which counts (RFC 3261 section "
                  "13.2.1), though the one in frame 6 differs") != std::string::npos);
    }
    SUBCASE("another phone of a fork answers: no second answer") {
        facts.call.callee_tag = "b";
        facts.call.descriptions[1].tag = "a";
        facts.rtp = {flows(callee_media, caller_media, 4, 20, 2), flows(caller_media, callee_media, 4, 20, 1)};
        CHECK(found(facts).empty());
    }
}
