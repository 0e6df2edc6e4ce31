#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

MediaDescription with_candidate(const char* rtp) {
    MediaDescription media = audio(rtp);
    media.candidates = {*media.rtp};
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

namespace {

constexpr const char* caller_host = "10.0.0.9:6000";
constexpr const char* callee_host = "10.0.0.20:6002";

/// Both have a relay in c= and their own address as a candidate.
CallFacts by_ice() {
    MediaDescription offer = audio(caller_media), answer = audio(callee_media);
    offer.candidates = {endpoint(caller_media), endpoint(caller_host)};
    answer.candidates = {endpoint(callee_media), endpoint(callee_host)};
    CallFacts facts = direct_call(offer, answer);
    facts.call.caller_source = endpoint("10.0.0.9:5060");
    facts.call.callee_source = endpoint("10.0.0.20:5060");
    return facts;
}

RtpStream checks(const char* source, const char* destination, std::uint32_t count, std::uint32_t answers) {
    RtpStream stream = rtp(source, destination, 0, 0);
    stream.stun = count + answers;
    stream.checks = count;
    stream.check_answers = answers;
    stream.first_frame = 20;
    return stream;
}

}  // namespace

TEST_CASE("diagnose: the pair of candidates that won is information, and media to it arrives") {
    CallFacts facts = by_ice();
    facts.rtp = {rtp(caller_host, callee_host), rtp(callee_host, caller_host, 40, 2)};
    for (RtpStream& stream : facts.rtp) stream.check_answers = 2;
    facts.rtp[0].nominated_frame = 22;
    CHECK(found(facts) == "ice-pair");
    CHECK(sentence(facts) ==
          "ICE chose the way between 10.0.0.9:6000 and 10.0.0.20:6002 (nominated in frame 22, and answered).");
    const Diagnosis result = diagnose(facts);
    CHECK(result.streams[0].to_callee.arrived == 50);
    CHECK(result.streams[0].to_caller.arrived == 40);
    SUBCASE("a party that only listens is reached by it too") {
        facts.rtp[1].rtp = 0;
        facts.rtp[1].ssrc = 0;
        CHECK(found(facts).find("stale-endpoint") == std::string::npos);
        CHECK(diagnose(facts).streams[0].to_callee.arrived == 50);
    }
}

TEST_CASE("diagnose: connectivity checks that nobody answers") {
    CallFacts facts = by_ice();
    facts.rtp = {checks(caller_host, callee_host, 7, 0), checks(callee_host, caller_host, 5, 0)};
    CHECK(found(facts) == "ice-failed both");
    CHECK(
        sentence(facts).starts_with("Neither hears the other: no pair of ICE candidates works. Connectivity checks to "
                                    "10.0.0.20:6002 (7, first in frame 20) were never answered"));
    SUBCASE("the others' are answered: one way, and that is evidence") {
        facts.rtp[0].check_answers = 3;
        facts.rtp[0].checks = 0;
        facts.rtp.push_back(rtp(caller_host, callee_host, 60));
        CHECK(found(facts).find("ice-failed") == std::string::npos);
    }
    SUBCASE("answers of a STUN server are no answers to checks") {
        facts.rtp.push_back(checks("203.0.113.5:3478", caller_host, 0, 1));
        CHECK(found(facts) == "ice-failed both");
    }
    SUBCASE("one side's are answered, and nothing is nominated") {
        facts.rtp[1].check_answers = 2;
        CHECK(found(facts) == "ice-failed both");
    }
    SUBCASE("a pair works, and nobody has anything to say") {
        facts.rtp[0].nominated_frame = 22;
        facts.rtp[1].check_answers = 2;
        CHECK(found(facts) == "ice-pair");
    }
    SUBCASE("they are refused") {
        facts.rtp[1].check_refusals = 7;
        CHECK(found(facts) == "ice-failed both");
        CHECK(sentence(facts).find("were refused, and no media") != std::string::npos);
    }
    SUBCASE("nobody offers candidates") {
        for (SessionDescription& one : facts.call.descriptions) one.streams[0].candidates.clear();
        CHECK(found(facts).empty());
    }
    SUBCASE("it has hardly begun") {
        facts.call.last_ns = second;
        for (RtpStream& one : facts.rtp) one.first_ns = one.last_ns = second;
        CHECK(found(facts).empty());
    }
}
