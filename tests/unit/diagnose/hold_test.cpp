#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

/// A later description of the caller's.
SessionDescription reinvite(std::uint64_t frame, std::uint32_t cseq, bool hold) {
    MediaDescription media = audio(caller_media);
    media.hold = hold;
    if (hold) media.direction = natkit::sdp::Direction::sendonly;
    return {.frame = frame,
            .writer = End::caller,
            .cseq = cseq,
            .method = "INVITE",
            .tag = "b",
            .vias = 1,
            .streams = {media}};
}

/// The other party's answer to it.
SessionDescription answer_to(const SessionDescription& offer) {
    SessionDescription answer = offer;
    answer.writer = other(offer.writer);
    answer.request = false;
    answer.status = 200;
    answer.frame = offer.frame + 1;
    answer.streams = {audio(offer.writer == End::caller ? callee_media : caller_media)};
    if (offer.streams[0].hold) answer.streams[0].direction = natkit::sdp::Direction::recvonly;
    return answer;
}

void add(CallFacts& facts, const SessionDescription& offer) {
    facts.call.descriptions.push_back(offer);
    facts.call.descriptions.push_back(answer_to(offer));
}

CallFacts talking() {
    CallFacts facts = direct_call();
    facts.call.callee_tag = "b";
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
    return facts;
}

}  // namespace

TEST_CASE("diagnose: a call on hold") {
    CallFacts facts = talking();
    SUBCASE("until the end") {
        add(facts, reinvite(7, 2, true));
        CHECK(sentence(facts) ==
              "The caller put the call on hold in frame 7 (a=sendonly): that nothing is sent to it from then on is "
              "meant, and no failure.");
    }
    SUBCASE("resumed") {
        add(facts, reinvite(7, 2, true));
        add(facts, reinvite(12, 3, false));
        CHECK(sentence(facts).find("until frame 12") != std::string::npos);
    }
    SUBCASE("by c=0.0.0.0 (RFC 3264 section 8.4)") {
        SessionDescription held = reinvite(7, 2, true);
        held.streams[0].rtp = endpoint("0.0.0.0:4000");
        add(facts, held);
        CHECK(sentence(facts).find("(c=0.0.0.0)") != std::string::npos);
    }
    SUBCASE("from the beginning") {
        facts.call.descriptions[0] = reinvite(1, 1, true);
        CHECK(sentence(facts).starts_with("The caller wanted nothing sent from the beginning (a=sendonly in frame 1)"));
    }
    CHECK(found(facts) == "on-hold caller");
    CHECK(row(Cause::on_hold).harm == Harm::none);
}

TEST_CASE("diagnose: what is no hold") {
    CallFacts facts = talking();
    SessionDescription early = facts.call.descriptions[1];
    early.streams[0].hold = true;
    SUBCASE("early media is often sendonly") {
        early.status = 183;
    }
    SUBCASE("another branch of the fork") {
        early.tag = "x";
    }
    facts.call.descriptions.insert(facts.call.descriptions.begin() + 1, early);
    CHECK(found(facts).empty());
}

TEST_CASE("diagnose: the request that is to end a hold is refused") {
    CallFacts facts = talking();
    add(facts, reinvite(7, 2, true));
    Request resume{.method = "INVITE", .cseq = 3, .first_ns = 5 * second, .copies = 1, .status = 488};
    resume.frame = 12;
    resume.in_dialog = true;
    resume.responses = {{.status = 488, .frame = 13, .first_ns = 5 * second, .reason = "Not Acceptable Here"}};
    facts.call.descriptions.push_back(reinvite(12, 3, false));
    facts.call.requests = {resume};
    CHECK(found(facts) == "not-resumed caller, on-hold caller");
    CHECK(diagnose(facts).findings[0].sentence.find("refused by 488 Not Acceptable Here in frame 13") !=
          std::string::npos);
    SUBCASE("it asks for the hold again") {
        facts.call.descriptions.back() = reinvite(12, 3, true);
        CHECK(found(facts) == "on-hold caller");
    }
    SUBCASE("the next one is accepted") {
        add(facts, reinvite(15, 4, false));
        CHECK(found(facts) == "on-hold caller");
    }
}
