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
           std::ranges::find(description.candidates, description.rtp->address) == description.candidates.end();
}

/// Candidates of somebody else than the relay, and media between the parties' own addresses.
bool goes_around(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings) {
    const MediaDescription* told = direction.receiver_delivered;
    if (told == nullptr || (!direction.traffic.relayed && !candidates_left_in(*told))) return false;
    const MediaDescription* own = direction.sender_written;
    std::vector<IpAddress> senders = own != nullptr ? own->candidates : std::vector<IpAddress>();
    if (const auto seen = one.visible(direction.traffic.from)) senders.push_back(*seen);
    const bool relay = opposite.traffic.relayed && opposite.traffic.told;
    for (const IpAddress& candidate : told->candidates) {
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

}  // namespace

/// Then the relay rightly gets nothing.
bool media_around_the_relay(const Case& one, const Stream& stream, Findings& findings) {
    return findings.has(Cause::ice_around_relay) || goes_around(one, stream.to_callee, stream.to_caller, findings) ||
           goes_around(one, stream.to_caller, stream.to_callee, findings);
}

}  // namespace natkit::diagnose
