#include <algorithm>
#include <array>

#include "doctor_impl.hpp"

namespace natkit::explain {
namespace {

constexpr unsigned few_copies = 3;
constexpr std::int64_t least_silence = 4 * second_ns;  ///< no NAT forgets sooner

}  // namespace

std::string name(Side side) {
    return side == Side::caller ? "the caller" : "the callee";
}

std::string capital(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
}

std::string seconds(std::int64_t ns) {
    return std::to_string((ns + second_ns / 2) / second_ns) + " s";
}

std::string packets(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " packet" : " packets");
}

std::uint64_t rtp_of(const std::vector<const MediaFlow*>& flows) {
    std::uint64_t count = 0;
    for (const MediaFlow* flow : flows) {
        const bool again = std::ranges::any_of(flows, [&](const MediaFlow* other) {
            const bool overlap = other->first_ns <= flow->last_ns && flow->first_ns <= other->last_ns;
            const bool first = other->rtp > flow->rtp || (other->rtp == flow->rtp && other < flow);
            return other != flow && other->ssrc == flow->ssrc && other->destination == flow->destination && overlap &&
                   first && flow->rtp > 0;
        });
        if (!again) count += flow->distinct();
    }
    return count;
}

Path Doctor::path(std::size_t i, Side from) const {
    Path path;
    path.to = other(from);
    path.way.from = from;
    path.told = stream(call_.delivered(path.to), i);
    path.own = stream(call_.written(path.to), i);
    path.mine = stream(call_.written(from), i);
    path.shown = stream(call_.delivered(from), i);
    if (path.told == nullptr || !path.told->rtp) return path;
    path.way.told = path.told->rtp;
    path.way.relayed = path.own != nullptr && path.own->rtp && path.own->rtp != path.told->rtp;
    path.in = flows_.to(*path.told->rtp, first_, last_);
    path.out = path.in;
    if (path.way.relayed && path.shown != nullptr && path.shown->rtp)
        path.out = flows_.from(*path.shown->rtp, first_, last_);
    path.way.sent = rtp_of(path.in);
    path.way.arrived = rtp_of(path.out);
    for (const MediaFlow* flow : path.in) {
        if (flow->rtp > 0 && path.way.sources.size() < 8) path.way.sources.push_back(flow->source);
    }
    return path;
}

Explanation Doctor::run() {
    result_.call_id = call_.call_id;
    result_.first_frame = call_.first_frame;
    result_.cut = call_.cut;
    look_at_messages();
    const DescriptionSeen* offer = call_.written(Side::caller);
    const DescriptionSeen* answer = call_.written(Side::callee);
    const std::size_t streams =
        std::max(offer != nullptr ? offer->streams.size() : 0, answer != nullptr ? answer->streams.size() : 0);
    look_for_hold();
    std::vector<std::pair<Path, Path>> paths;
    for (std::size_t i = 0; i < streams; ++i) {
        const Path there = path(i, Side::caller);
        const Path back = path(i, Side::callee);
        const StreamSeen* any = there.mine != nullptr ? there.mine : back.mine;
        if (any == nullptr || (there.mine != nullptr && there.mine->rejected) ||
            (back.mine != nullptr && back.mine->rejected))
            continue;
        result_.streams.push_back({.kind = any->kind, .to_callee = there.way, .to_caller = back.way});
        result_.media_seen = result_.media_seen || there.way.sent + back.way.sent > 0;
        paths.emplace_back(there, back);
    }
    if (!call_.answered && !result_.media_seen) {
        never_talked();
        return std::move(result_);
    }
    for (const auto& [there, back] : paths) look_at_stream(there, back);
    return std::move(result_);
}

// --- signalling ----------------------------------------------------------------------------------------------------

void Doctor::look_at_messages() {
    if (!call_.alg.empty()) {
        std::string signs;
        for (const record::Evidence& one : call_.alg)
            signs += (signs.empty() ? "" : "; ") + one.field + " " + one.value;
        add(Cause::alg_damage, std::nullopt,
            "A gateway on the way changed the messages and left them contradicting each other (" + signs + ").",
            "Switch off the SIP ALG (\"SIP helper\") in the router of that party, or use TLS so that it cannot read "
            "the messages.");
    }
    for (const RequestSeen& request : call_.requests) {
        if (request.status != 0 || request.copies < few_copies || !request.heard_ns) continue;
        if (request.first_ns - *request.heard_ns < least_silence) continue;
        add(Cause::binding_expired, std::nullopt,
            request.method + " was sent " + std::to_string(request.copies) + " times to " +
                to_string(request.destination) + " and never answered; the client there was heard last " +
                seconds(request.first_ns - *request.heard_ns) + " before: its NAT has forgotten the mapping.",
            "Send keepalives more often than the NAT forgets ([pinger] udp_interval, 25s by default), or let the "
            "client do so.");
        return;
    }
}

void Doctor::never_talked() {
    if (found(Cause::binding_expired)) return;
    if (call_.failure != 0) {
        add(Cause::not_answered, std::nullopt,
            "The call was refused (" + std::to_string(call_.failure) + ") before any media.",
            "Look at the signalling: no media was to flow.");
    } else {
        add(Cause::not_answered, std::nullopt,
            "The capture has an offer and no final answer: no media was to flow yet.",
            "Look at the signalling: is the phone ringing, or is the answer lost?");
    }
}

namespace {

/// "The caller put the call on hold in frame 7 (a=sendonly)".
std::string who_holds(const DescriptionSeen& description, const StreamSeen& held, bool talked) {
    const bool zero = held.rtp && held.rtp->address.is_unspecified();
    const std::string what = zero ? "c=0.0.0.0" : std::string("a=") + sdp::to_string(held.direction);
    const std::string frame = " in frame " + std::to_string(description.frame);
    return capital(name(description.writer)) + (talked
                                                    ? " put the call on hold" + frame + " (" + what + ")"
                                                    : " wanted nothing sent from the beginning (" + what + frame + ")");
}

}  // namespace

void Doctor::look_for_hold() {
    for (const DescriptionSeen& one : call_.descriptions) {
        const auto held = std::ranges::find_if(one.streams, &StreamSeen::hold);
        if (held == one.streams.end() || (!one.request && one.status < 200)) continue;  // early media is often sendonly
        if (!call_.callee_tag.empty() && !one.tag.empty() && one.tag != call_.callee_tag)
            continue;  // of another branch
        const Side who = one.writer;
        const auto same_writer = [&](const DescriptionSeen& other) {
            return other.writer == who && std::ranges::none_of(other.streams, &StreamSeen::hold);
        };
        const bool talked = std::ranges::any_of(call_.descriptions, [&](const DescriptionSeen& earlier) {
            return same_writer(earlier) && earlier.frame < one.frame && earlier.cseq != one.cseq;
        });
        const auto resumed = std::ranges::find_if(call_.descriptions, [&](const DescriptionSeen& later) {
            return same_writer(later) && later.frame > one.frame && later.cseq != one.cseq;
        });
        const std::string until =
            resumed == call_.descriptions.end() ? "from then on" : "until frame " + std::to_string(resumed->frame);
        add(Cause::on_hold, who,
            who_holds(one, *held, talked) + ": that nothing is sent to it " + until + " is meant, and no failure.",
            "Nothing to repair; relays must not time out while a call is on hold ([media_proxy] hold_timeout).");
        return;
    }
}

const char* to_string(Cause cause) noexcept {
    constexpr std::array<const char*, 12> words = {"private-address-in-sdp", "rtp-from-elsewhere",
                                                   "nat-binding-expired",    "alg-damage",
                                                   "relay-not-joined",       "on-hold",
                                                   "wrong-family",           "ice-around-relay",
                                                   "never-arrives",          "media-loop",
                                                   "nothing-sent",           "not-answered"};
    return words[static_cast<std::size_t>(cause)];
}

Explanation diagnose(const Call& call, const FlowTable& flows, const Rules& rules) {
    return Doctor(call, flows, rules).run();
}

}  // namespace natkit::explain
