#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

const Format pcmu{.number = 0, .name = "PCMU"};

MediaDescription with(MediaDescription media, std::vector<Format> formats) {
    media.formats = std::move(formats);
    return media;
}

RtpStream of_type(RtpStream stream, std::vector<RtpStream::PayloadType> types) {
    stream.payload_types = std::move(types);
    return stream;
}

}  // namespace

TEST_CASE("diagnose: payload types that the receiver never listed") {
    const Format events{.number = 101, .name = "TELEPHONE-EVENT"};
    const Format opus111{.number = 111, .name = "OPUS", .clock = 48000};
    const Format opus96{.number = 96, .name = "OPUS", .clock = 48000};
    struct Row {
        const char* why;
        std::vector<Format> offer, answer;
        std::vector<RtpStream::PayloadType> caller, callee;
        const char* want;
    };
    const Row rows[] = {
        {"as agreed", {pcmu}, {pcmu}, {{0, 50, 3}}, {{0, 50, 4}}, ""},
        {"nobody listed it", {pcmu}, {pcmu}, {{9, 50, 3}}, {{0, 50, 4}}, "payload-type-mismatch callee"},
        {"a few packets of another: the rest is heard",
         {pcmu},
         {pcmu},
         {{0, 50, 3}, {9, 6, 8}},
         {{0, 50, 4}},
         "payload-type-mismatch"},
        {"comfort noise is sent unasked", {pcmu}, {pcmu}, {{0, 50, 3}, {13, 9, 8}}, {{0, 50, 4}}, ""},
        {"key presses, and the answer has no telephone-event",
         {pcmu, events},
         {pcmu},
         {{0, 50, 3}, {101, 12, 8}},
         {{0, 50, 4}},
         "payload-type-mismatch"},
        {"each by the other's number", {opus111}, {opus96}, {{96, 50, 3}}, {{111, 50, 4}}, ""},
        {"each by its own: who answered knows both",
         {opus111},
         {opus96},
         {{111, 50, 3}},
         {{96, 50, 4}},
         "payload-type-mismatch caller"},
        {"descriptions without any list", {}, {}, {{9, 50, 3}}, {{0, 50, 4}}, ""},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        CallFacts facts = direct_call(with(audio(caller_media), c.offer), with(audio(callee_media), c.answer));
        facts.rtp = {of_type(rtp(caller_media, callee_media), c.caller),
                     of_type(rtp(callee_media, caller_media, 50, 2), c.callee)};
        CHECK(found(facts) == c.want);
    }
}

TEST_CASE("diagnose: one side encrypts and the other does not") {
    MediaDescription offer = audio(caller_media);
    offer.encryption = Encryption::sdes;
    CallFacts facts = direct_call(offer, audio(callee_media));
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
    CHECK(found(facts) == "srtp-mismatch both");
    SUBCASE("the capture has the messages alone") {
        facts.rtp.clear();
        CHECK(found(facts) == "srtp-mismatch both");
        CHECK(diagnose(facts).findings[0].confidence == Confidence::inferred);
    }
    SUBCASE("an offer of both ways, and an answer that takes one") {
        const auto with_offer_and_answer = [&](Encryption said, Encryption answered) {
            facts.call.descriptions[0].streams[0].encryption = said;
            facts.call.descriptions[1].streams[0].encryption = answered;
            return found(facts);
        };
        CHECK(with_offer_and_answer(Encryption::either, Encryption::sdes).empty());
        CHECK(with_offer_and_answer(Encryption::either, Encryption::dtls).empty());
        CHECK(with_offer_and_answer(Encryption::either, Encryption::none) == "srtp-mismatch both");
    }
    SUBCASE("a relay that translates shows each its own way") {
        facts = relayed_call(offer, audio(callee_media));
        facts.call.descriptions[1].streams[0].encryption = Encryption::none;
        facts.call.descriptions[3].streams[0].encryption = Encryption::sdes;
        facts.rtp = {rtp(caller_media, relay_to_caller), rtp(relay_to_callee, callee_media),
                     rtp(callee_media, relay_to_callee, 50, 2), rtp(relay_to_caller, caller_media, 50, 2)};
        CHECK(found(facts).empty());
    }
}

TEST_CASE("diagnose: payload types that matter to nobody") {
    const Format vp8{.number = 96, .name = "VP8", .clock = 90000};
    CallFacts facts = direct_call(with(audio(caller_media), {pcmu}), with(audio(callee_media), {pcmu}));
    facts.rtp = {of_type(rtp(caller_media, callee_media), {{0, 50, 3}, {96, 50, 5}}),
                 of_type(rtp(callee_media, caller_media, 50, 2), {{0, 50, 4}})};
    CHECK(found(facts) == "payload-type-mismatch");
    SUBCASE("of another stream of the bundle, with the same endpoint") {
        for (SessionDescription& one : facts.call.descriptions) {
            one.streams.push_back(with(one.streams[0], {vp8}));
            one.streams[1].kind = "video";
        }
        CHECK(found(facts).find("payload-type-mismatch") == std::string::npos);
    }
    SUBCASE("with the receiver's port 0, as bundle-only says") {
        for (SessionDescription& one : facts.call.descriptions) one.streams.push_back(with(one.streams[0], {vp8}));
        MediaDescription& later = facts.call.descriptions[1].streams[1];
        later = {.kind = "video", .rejected = true};
        CHECK(found(facts).empty());
    }
    SUBCASE("sent before the answer told the numbers") {
        facts.call.descriptions[1].time_ns = 2 * second;
        facts.rtp[0].payload_types[1].last_ns = 2 * second + second / 10;
        CHECK(found(facts).empty());
    }
    SUBCASE("nothing but headers, to keep a mapping open") {
        facts.rtp[0].payload_types[1].empty = 50;
        CHECK(found(facts).empty());
        facts.rtp[0].payload_types[0].empty = facts.rtp[1].payload_types[0].empty = 50;  // the capture has no more
        CHECK(found(facts) == "payload-type-mismatch");
    }
}

TEST_CASE("diagnose: a codec that goes on after the answer took it away") {
    const Format pcma{.number = 8, .name = "PCMA"};
    CallFacts facts = direct_call(with(audio(caller_media), {pcmu}), with(audio(callee_media), {pcmu}));
    auto& all = facts.call.descriptions;
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        SessionDescription next = all[i];
        next.cseq = 2;
        next.tag = "b";
        next.frame += 10;
        next.time_ns = 4 * second;
        next.streams[0].formats = {pcma};
        all.push_back(next);
    }
    facts.rtp = {of_type(rtp(caller_media, callee_media, 400), {{0, 100, 3, 4 * second}, {8, 300, 30, 9 * second}}),
                 of_type(rtp(callee_media, caller_media, 400, 2), {{0, 400, 4, 9 * second}})};
    CHECK(found(facts) == "payload-type-mismatch caller");
    CHECK(sentence(facts).find("still sends payload type 0 after the answer in frame 12") != std::string::npos);
    facts.rtp[1].payload_types = {{0, 120, 4, 5 * second}, {8, 280, 30, 9 * second}};  // a little late
    CHECK(found(facts).empty());
}
