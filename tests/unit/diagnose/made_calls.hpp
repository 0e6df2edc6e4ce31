#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "natkit/diagnose/diagnose.hpp"
#include "natkit/diagnose/table.hpp"

/// Facts of calls, written by hand.
namespace natkit::diagnose {

constexpr std::int64_t second = 1'000'000'000;

constexpr const char* caller_media = "203.0.113.9:4000";
constexpr const char* callee_media = "203.0.113.20:4002";
constexpr const char* relay_to_caller = "203.0.113.5:30000";  ///< the relay's end that the caller is told
constexpr const char* relay_to_callee = "203.0.113.5:30010";

inline Endpoint endpoint(const char* text) {
    return *Endpoint::parse(text);
}

inline MediaDescription audio(const char* rtp) {
    const Endpoint at = endpoint(rtp);
    MediaDescription media{.kind = "audio", .rtp = at, .rtcp = at, .family = at.address.family()};
    ++media.rtcp->port;
    return media;
}

inline RtpStream rtp(const char* source, const char* destination, std::uint64_t packets = 50, std::uint32_t ssrc = 1) {
    RtpStream stream;
    stream.source = endpoint(source);
    stream.destination = endpoint(destination);
    stream.first_ns = second;
    stream.last_ns = 9 * second;
    stream.rtp = packets;
    stream.ssrc = ssrc;
    return stream;
}

/// A call without a relay, answered, with its two descriptions (offer: first) and no media.
inline CallFacts direct_call(const MediaDescription& offer, const MediaDescription& answer) {
    CallFacts facts;
    facts.networks.nated = nat::default_nated();
    Call& call = facts.call;
    call.call_id = "call-1";
    call.last_ns = 10 * second;
    call.answered = call.ended = true;
    call.caller_source = endpoint("203.0.113.9:5060");
    call.callee_source = endpoint("203.0.113.20:5060");
    call.descriptions = {
        {.frame = 1, .writer = End::caller, .cseq = 1, .method = "INVITE", .vias = 1, .streams = {offer}},
        {.frame = 2,
         .writer = End::callee,
         .request = false,
         .status = 200,
         .cseq = 1,
         .method = "INVITE",
         .tag = "b",
         .vias = 1,
         .streams = {answer}}};
    return facts;
}

inline CallFacts direct_call() {
    return direct_call(audio(caller_media), audio(callee_media));
}

/// The same by way of a proxy that puts a relay between the two.
inline CallFacts relayed_call(const MediaDescription& offer = audio(caller_media),
                              const MediaDescription& answer = audio(callee_media)) {
    CallFacts facts = direct_call(offer, answer);
    auto& all = facts.call.descriptions;
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        SessionDescription delivered = all[i];
        delivered.vias = i == 0 ? 2 : 1;
        if (i == 1) all[i].vias = 2;
        MediaDescription& media = delivered.streams[0];
        const MediaDescription relay = audio(i == 0 ? relay_to_callee : relay_to_caller);
        media.rtp = relay.rtp;
        media.rtcp = relay.rtcp;
        all.push_back(delivered);
    }
    std::swap(all[1], all[2]);  // offer, offer on the next hop, answer, answer on the next hop
    for (std::size_t i = 0; i < all.size(); ++i) all[i].frame = i + 1;
    return facts;
}

/// "nothing-sent caller (stopped callee), on-hold callee": causes, who hears nothing, and in brackets what came of the
/// one before. Empty: nothing was found.
inline std::string found(const CallFacts& facts) {
    std::string all;
    for (const Finding& finding : diagnose(facts).findings) {
        const std::string words = std::string(to_string(finding.cause)) +
                                  (finding.hears_nothing ? std::string(" ") + finding.hears_nothing->word() : "");
        all += finding.follows_from ? " (" + words + ")" : (all.empty() ? "" : ", ") + words;
        CHECK_FALSE(finding.sentence.empty());
        CHECK_FALSE(finding.change.empty());
    }
    return all;
}

/// The sentence of the only finding, whatever came of it.
inline std::string sentence(const CallFacts& facts) {
    const Diagnosis result = diagnose(facts);
    REQUIRE(std::ranges::count_if(result.findings, [](const Finding& one) { return !one.follows_from; }) == 1);
    return result.findings[0].sentence;
}

}  // namespace natkit::diagnose
