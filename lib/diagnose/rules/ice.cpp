#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// ICE (RFC 8445) and a relay in one call.
namespace natkit::diagnose {
namespace {

/// Whether the address in c= is none of the candidates: somebody changed the one and not the others (RFC 8839,
/// section 4.2.5 calls it a mismatch). It gives a relay away where only one hop is in the capture.
bool candidates_left_in(const MediaDescription& description) {
    return description.rtp && !description.candidates.empty() && !description.rtp->address.is_unspecified() &&
           std::ranges::find(description.candidates, description.rtp->address, &Endpoint::address) ==
               description.candidates.end();
}

/// Candidates of somebody else than the relay, and media between the parties' own addresses.
bool goes_around(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings) {
    const MediaDescription* told = direction.receiver_delivered;
    if (told == nullptr || (!direction.traffic.relayed && !candidates_left_in(*told))) return false;
    const MediaDescription* own = direction.sender_written;
    std::vector<IpAddress> senders;
    if (own != nullptr) {
        for (const Endpoint& candidate : own->candidates) senders.push_back(candidate.address);
    }
    if (const auto seen = one.visible(direction.traffic.from)) senders.push_back(*seen);
    const bool relay = opposite.traffic.relayed && opposite.traffic.told;
    for (const auto& [candidate, port] : told->candidates) {
        if (candidate == told->rtp->address) continue;
        for (const IpAddress& sender : senders) {
            if (relay && sender == opposite.traffic.told->address) continue;
            const std::uint64_t direct = packets_of(one.between(sender, candidate), 0, one.end_ns() + 60 * second_ns);
            if (direct == 0) continue;
            findings.add({.cause = Cause::ice_around_relay,
                          .hears_nothing = {},
                          .sentence = "Media goes from " + to_string(sender) + " to " + to_string(candidate) +
                                      " directly (" + packets(direct) + "), around the relay at " +
                                      to_string(*told->rtp) + ": ICE candidates were left in the session description.",
                          .change = "Let the relay drop the candidates (sdprewrite --ice drop, rtpengine ICE=remove), "
                                    "or offer the relay as the only one."});
            return true;
        }
    }
    return false;
}

constexpr std::uint32_t few_checks = 4;             ///< an agent sends one again seven times (RFC 8489 section 6.2.1)
constexpr std::int64_t least_wait = 2 * second_ns;  ///< in which a pair is found, or none

const RtpStream* back(const Case& one, const RtpStream& stream) {
    const auto found = std::ranges::find_if(one.facts().rtp, [&](const RtpStream& other) {
        return other.source == stream.destination && other.destination == stream.source && other.check_answers > 0;
    });
    return found == one.facts().rtp.end() ? nullptr : &*found;
}

bool offers_candidates(const Phase& phase, End party) {
    const MediaDescription* written = phase.written_by(party, 0);
    return written != nullptr && !written->candidates.empty();
}

}  // namespace

std::optional<Checks> unanswered_checks(const Case& one, End from) {
    std::optional<Checks> most;
    for (const RtpStream& stream : one.facts().rtp) {
        const auto written = one.phases().empty() ? nullptr : one.phases().back().written_by(other(from), 0);
        const bool named = written != nullptr && written->rtp == stream.destination;
        if (stream.checks < few_checks || (one.paths().candidate_of(stream.destination) != other(from) && !named))
            continue;
        if (one.paths().answers_checks(stream.destination)) return std::nullopt;
        if (most && most->count >= stream.checks) continue;
        const bool refused = std::ranges::any_of(one.facts().rtp, [&](const RtpStream& other) {
            return other.source == stream.destination && other.check_refusals > 0;
        });
        most =
            Checks{.to = stream.destination, .count = stream.checks, .frame = stream.first_frame, .refused = refused};
    }
    return most;
}

/// Which pair won: its checks nominate it, and are answered.
bool pair_chosen(const Case& one, Findings& findings) {
    for (const RtpStream& stream : one.facts().rtp) {
        if (stream.nominated_frame == 0 || back(one, stream) == nullptr) continue;
        findings.add({.cause = Cause::ice_pair,
                      .sentence = "ICE chose the way between " + to_string(stream.source) + " and " +
                                  to_string(stream.destination) + " (nominated in frame " +
                                  std::to_string(stream.nominated_frame) + ", and answered).",
                      .change = "Nothing to repair.",
                      .frames = {stream.nominated_frame}});
        return false;
    }
    return false;
}

/// Both sides check, and at least one of them is never answered: then no pair works, and no media is sent.
bool no_pair_works(const Case& one, Findings& findings) {
    if (!one.call().answered || one.media_seen() || one.phases().empty()) return false;
    const Phase& phase = one.phases().back();
    const bool both = offers_candidates(phase, End::caller) && offers_candidates(phase, End::callee);
    if (!both || phase.early || one.end_ns() - phase.from_ns < least_wait) return false;
    const bool works = std::ranges::any_of(one.facts().rtp, [&](const RtpStream& stream) {
        return stream.rtp > 0 || (stream.nominated_frame != 0 && back(one, stream) != nullptr);
    });
    auto tried = unanswered_checks(one, End::caller);
    if (!tried) tried = unanswered_checks(one, End::callee);
    if (works || !tried) return false;
    findings.add({.cause = Cause::ice_failed,
                  .hears_nothing = Deaf::both(),
                  .sentence = "Neither hears the other: no pair of ICE candidates works. Connectivity checks to " +
                              to_string(tried->to) + " (" + std::to_string(tried->count) + ", first in frame " +
                              std::to_string(tried->frame) + ") were " +
                              (tried->refused ? "refused" : "never answered") + ", and no media is sent.",
                  .change = tried->refused
                                ? "User name or password of ICE (a=ice-ufrag, a=ice-pwd) are not those of the agent "
                                  "that answers: look for a box that changes or mixes up descriptions."
                                : "Offer a candidate that each can reach: a relay (TURN, or a media proxy that takes "
                                  "the place of the candidates: sdprewrite --ice replace), and let the firewalls pass "
                                  "UDP.",
                  .frames = {tried->frame},
                  .from_s = one.at(phase.from_ns),
                  .to_s = one.at(one.end_ns())});
    return false;
}

/// Then the relay rightly gets nothing.
bool media_around_the_relay(const Case& one, const Stream& stream, Findings& findings) {
    return findings.has(Cause::ice_around_relay) || goes_around(one, stream.to_callee, stream.to_caller, findings) ||
           goes_around(one, stream.to_caller, stream.to_callee, findings);
}

}  // namespace natkit::diagnose
