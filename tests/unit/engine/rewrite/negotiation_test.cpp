#include "negotiation.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace natkit;
using rewrite::CallState;
using rewrite::Outcome;
using rewrite::Reading;

namespace {

/// "A INVITE 1", "B 200 1 INVITE": from whom, what, CSeq; then words: "sdp", "branch=2", "tag=c" (of B).
sip::Message message(const std::string& text) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(' ', at), text.size());
        words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    const bool from_a = words[0] == "A";
    const bool request = words[1].find_first_not_of("0123456789") != std::string::npos;
    const std::string method = request ? words[1] : words[3];
    std::string branch = "1";
    std::string b = request && method == "INVITE" && words[2] == "1" ? "" : "b";
    bool described = false;
    for (const std::string& word : words) {
        described = described || word == "sdp";
        if (word.starts_with("branch=")) branch = word.substr(7);
        if (word.starts_with("tag=")) b = word.substr(4);
    }
    const bool asked_by_a = request == from_a;
    std::string bytes = request ? method + " sip:x SIP/2.0\r\n" : "SIP/2.0 " + words[1] + " X\r\n";
    bytes += "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" + branch + "\r\n";
    const std::string named = b.empty() ? std::string() : ";tag=" + b;
    bytes += "From: <sip:x>" + (asked_by_a ? ";tag=a" : named) + "\r\nTo: <sip:y>" + (asked_by_a ? named : ";tag=a");
    bytes += "\r\nCall-ID: c\r\nCSeq: " + words[2] + " " + method + "\r\n\r\n" + (described ? "v=0\r\n" : "");
    return sip::Message::parse(bytes).value();
}

/// What there is to say of a reading: its exchange, and the marks that are set.
std::string shown(const Reading& reading) {
    std::string text = "side " + std::to_string(reading.side) + " in " + std::to_string((reading.exchange >> 1U) & 1U) +
                       " " + std::to_string(reading.exchange >> 2U) + ":";
    if (reading.role == dialog::Role::offer) text += " offer";
    if (reading.role == dialog::Role::answer) text += " answer";
    if (reading.concludes) text += " concludes";
    if (reading.nothing_new && reading.role != dialog::Role::neither) text += " repeated";
    if (reading.establishes) text += " establishes";
    if (reading.other_dialog) text += " other-dialog";
    switch (reading.outcome) {
        case Outcome::none: break;
        case Outcome::accepted: text += " accepted"; break;
        case Outcome::rolled_back: text += " rolled-back"; break;
        case Outcome::ended: text += " ended"; break;
    }
    return text;
}

struct Step {
    const char* message;
    const char* want;
};

}  // namespace

TEST_CASE("rewrite::read: what each message of a call means for its offers and answers") {
    struct Case {
        const char* why;
        std::vector<Step> steps;
    };
    const Case cases[] = {
        {"RFC 3264: the offer in the INVITE, the answer in the 2xx",
         {{"A INVITE 1 sdp", "side 0 in 0 1: offer"},
          {"A INVITE 1 sdp", "side 0 in 0 1: offer repeated"},
          {"B 183 1 INVITE sdp", "side 1 in 0 1: answer"},
          {"B 200 1 INVITE sdp", "side 1 in 0 1: answer concludes establishes"},
          {"B 183 1 INVITE sdp", "side 1 in 0 1: answer repeated"},
          {"B INVITE 1 tag=b sdp", "side 1 in 1 1: offer"},
          {"A 488 1 INVITE", "side 0 in 1 1: rolled-back"},
          {"B BYE 2", "side 1 in 1 2: ended"}}},
        {"RFC 3261 section 13.2.1: the offer in the 2xx, the answer in the ACK",
         {{"A INVITE 1", "side 1 in 1 1:"},
          {"B 200 1 INVITE sdp", "side 0 in 1 1: offer establishes"},
          {"A ACK 1 sdp", "side 1 in 1 1: answer concludes"}}},
        {"the same, though nobody has seen the INVITE: there are no legs, so it had no offer",
         {{"B 200 1 INVITE sdp", "side 0 in 1 1: offer establishes"},
          {"A ACK 1 sdp", "side 1 in 1 1: answer concludes"}}},
        {"RFC 3262 section 5: the offer in a reliable 183, the answer in its PRACK; the next PRACK offers",
         {{"A INVITE 1", "side 1 in 1 1:"},
          {"B 183 1 INVITE sdp", "side 0 in 1 1: offer"},
          {"A PRACK 2 sdp", "side 1 in 1 1: answer concludes"},
          {"A PRACK 3 sdp", "side 1 in 1 3: offer"},
          {"B 200 3 PRACK sdp", "side 0 in 1 3: answer concludes"},
          {"B 200 1 INVITE", "side 0 in 1 1: establishes accepted"}}},
        {"RFC 3311: an UPDATE that is refused leads back to what its own exchange changed",
         {{"A INVITE 1 sdp", "side 0 in 0 1: offer"},
          {"B 200 1 INVITE sdp", "side 1 in 0 1: answer concludes establishes"},
          {"A INVITE 2 sdp tag=b", "side 0 in 0 2: offer"},
          {"B UPDATE 1 sdp", "side 1 in 1 1: offer"},
          {"A 491 1 UPDATE", "side 0 in 1 1: rolled-back"},
          {"B 200 2 INVITE", "side 1 in 0 2: accepted"}}},
        {"the same, and the INVITE is answered",
         {{"A INVITE 1 sdp", "side 0 in 0 1: offer"},
          {"B 200 1 INVITE sdp", "side 1 in 0 1: answer concludes establishes"},
          {"A INVITE 2 sdp tag=b", "side 0 in 0 2: offer"},
          {"B UPDATE 1 sdp", "side 1 in 1 1: offer"},
          {"A 491 1 UPDATE", "side 0 in 1 1: rolled-back"},
          {"B 200 2 INVITE sdp", "side 1 in 0 2: answer concludes"}}},
        {"what nobody asked for changes nothing: in the ACK of an INVITE with an offer, in the 2xx to an UPDATE "
         "without",
         {{"A INVITE 1 sdp", "side 0 in 0 1: offer"},
          {"B 200 1 INVITE sdp", "side 1 in 0 1: answer concludes establishes"},
          {"A ACK 1 sdp", "side 0 in 0 1:"},
          {"A 200 1 UPDATE sdp", "side 0 in 1 1: accepted"}}},
        {"a 2xx that comes again after a new offer is not its answer",
         {{"A INVITE 1 sdp", "side 0 in 0 1: offer"},
          {"B 200 1 INVITE sdp", "side 1 in 0 1: answer concludes establishes"},
          {"B INVITE 1 tag=b sdp", "side 1 in 1 1: offer"},
          {"B 200 1 INVITE sdp", "side 1 in 0 1: accepted"},
          {"A 200 1 INVITE sdp", "side 0 in 1 1: answer concludes"}}},
        {"each branch of a fork answers the INVITE, though another has changed its media since",
         {{"A INVITE 1 sdp", "side 0 in 0 1: offer"},
          {"B 183 1 INVITE tag=c sdp", "side 1 in 0 1: answer"},
          {"A UPDATE 2 tag=c sdp", "side 0 in 0 2: offer"},
          {"B 200 2 UPDATE tag=c sdp", "side 1 in 0 2: answer concludes"},
          {"B 200 1 INVITE tag=b sdp", "side 1 in 0 1: answer concludes establishes"}}},
        {"a call ends with the refusal of the last branch; a challenge is none",
         {{"A INVITE 1 sdp branch=1", "side 0 in 0 1: offer"},
          {"B 407 1 INVITE branch=1", "side 1 in 0 1:"},
          {"A INVITE 2 sdp tag= branch=2", "side 0 in 0 2: offer"},
          {"A INVITE 2 sdp tag= branch=3", "side 0 in 0 2: offer repeated"},
          {"A CANCEL 2 tag= branch=3", "side 0 in 0 2:"},
          {"B 487 2 INVITE tag=x branch=3", "side 1 in 0 2:"},
          {"B 603 2 INVITE tag=y branch=2", "side 1 in 0 2: ended"}}},
        {"of two branches that answer the first one's dialog has the legs, until the caller offers in the other",
         {{"A INVITE 1 sdp", "side 0 in 0 1: offer"},
          {"B 200 1 INVITE tag=b sdp", "side 1 in 0 1: answer concludes establishes"},
          {"B 200 1 INVITE tag=c sdp", "side 1 in 0 1: other-dialog"},
          {"B 487 1 INVITE tag=d", "side 1 in 0 1: other-dialog"},
          {"A ACK 1 tag=c sdp", "side 0 in 0 1: other-dialog"},
          {"A BYE 2 tag=c", "side 0 in 0 2: other-dialog"},
          {"A INVITE 3 tag=e sdp", "side 0 in 0 3: offer"},
          {"A BYE 4 tag=b", "side 0 in 0 4: other-dialog"},
          {"B BYE 1 tag=e", "side 1 in 1 1: ended"}}},
        {"RFC 3261 section 21.4.26: what a 488 describes is no answer",
         {{"A INVITE 1 sdp", "side 0 in 0 1: offer"}, {"B 488 1 INVITE sdp", "side 1 in 0 1: ended"}}},
        {"OPTIONS and its answer negotiate nothing", {{"B 200 1 OPTIONS sdp", "side 0 in 1 1:"}}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CallState state;
        bool legs = false;
        for (const Step& step : c.steps) {
            CAPTURE(step.message);
            const sip::Message m = message(step.message);
            const CallState before = state;
            const Reading reading = read(state, m, legs);
            CHECK(shown(reading) == step.want);
            // Where two processes meet, a message is read again, from the state that it left.
            CallState again = state;
            if (reading.outcome == Outcome::none && !reading.establishes && !m.body().empty())
                CHECK(shown(read(again, m, true)) == step.want);
            if (m.body().empty() || !reading.negotiates || reading.other_dialog || reading.nothing_new) continue;
            state.described[reading.side] = reading.transaction;
            legs = true;
        }
    }
}

TEST_CASE("rewrite::concerns_media: mediarelay is asked only about messages that may have to do with legs") {
    struct Case {
        const char* message;
        bool want;
    };
    const Case cases[] = {
        {"A INVITE 1", true},           {"A ACK 1", false},
        {"A ACK 1 sdp", true},          {"A BYE 2", true},
        {"A CANCEL 1", false},          {"A MESSAGE 1 sdp", false},
        {"A UPDATE 2", false},          {"A PRACK 2 sdp", true},
        {"B 100 1 INVITE", false},      {"B 180 1 INVITE", false},
        {"B 183 1 INVITE sdp", true},   {"B 486 1 INVITE", true},
        {"B 200 1 OPTIONS sdp", false}, {"B 200 2 BYE", false},
        {"B 200 2 UPDATE", true},
    };
    for (const Case& c : cases) {
        CAPTURE(c.message);
        CHECK(rewrite::concerns_media(message(c.message)) == c.want);
    }
}

TEST_CASE("rewrite::read: what is kept of a call is bounded, whatever its messages hold") {
    CallState state;
    for (int i = 0; i < 200; ++i)
        (void)read(state, message("A INVITE 1 sdp branch=" + std::string(500, 'x') + std::to_string(i)), false);
    CHECK(state.branches.size() == 64);
    (void)read(state, message("B 200 1 INVITE sdp tag=" + std::string(5000, 't')), true);
    CHECK(state.peer_tag.size() < 64);
    CHECK(state.branches.empty());
}
