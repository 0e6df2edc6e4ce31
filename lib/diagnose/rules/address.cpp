#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Addresses in session descriptions that the one who is told them cannot reach.
namespace natkit::diagnose {

bool told_another_family(const Case&, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    const auto& told = direction.traffic.told;
    const MediaDescription* own = direction.sender_written;
    if (!told || own == nullptr || !own->rtp || told->address.family() == own->rtp->address.family()) return false;
    if (direction.traffic.arrived > 0) return false;  // somebody translates
    findings.add({.cause = Cause::wrong_family,
                  .hears_nothing = direction.to,
                  .sentence = name_at_start(direction.from) + " has media at " + to_string(*own->rtp) +
                              " and is told to send to " + to_string(*told) + ": " +
                              (own->rtp->address.is_v4() ? "IPv4 cannot reach IPv6." : "IPv6 cannot reach IPv4."),
                  .change = "Put a media proxy between the two families (natkit does so by the rule "
                            "families-differ)."});
    return true;
}

/// Nothing comes, or what comes goes to that address from outside. One that has learned where the packets of the other
/// come from sends there, whatever it was told: then nothing is dead.
bool told_a_private_address(const Case& one, const MediaDirection& direction, const MediaDirection&,
                            Findings& findings) {
    const auto& told = direction.traffic.told;
    if (!direction.dead || !told || !one.is_private(told->address)) return false;
    const Dead& dead = *direction.dead;
    if (dead.before && !dead_since_described(one, direction)) return false;
    const auto sender = one.visible(direction.from);
    if (!sender || one.is_private(*sender)) return false;
    const bool in_vain = dead.sent && std::ranges::any_of(dead.astray, [](const Astray& astray) {
                             return astray.reach == Reach::private_address && !astray.path->forwarded;
                         });
    if (dead.sent && !in_vain) return false;
    // Who signals and takes media by one address may be a relay, and should have learned where packets come from.
    const MediaDescription* theirs = direction.sender_delivered;
    const bool relay = !in_vain && theirs != nullptr && theirs->rtp && theirs->rtp->address == *sender;
    findings.add(during(one, dead,
                        {.cause = Cause::private_address,
                         .hears_nothing = direction.to,
                         .sentence = name_at_start(direction.to) + " hears nothing" + since(one, dead) + ": " +
                                     name(direction.from) + " at " + to_string(*sender) + " is told to send to " +
                                     to_string(*told) + ", " + kind_of(told->address) + " it cannot reach" +
                                     (in_vain ? " (" + packets(dead.packets) + " went there in vain)." : ".") +
                                     (relay ? " A relay there would have to learn where packets come from." : ""),
                         .change = "Put a media proxy in between (natkit: " + to_string(told->address) +
                                   " must lie in [network] nated or lan), or give " + name(direction.to) +
                                   " its public address (STUN, \"external address\").",
                         .confidence = in_vain ? Confidence::seen : Confidence::inferred}));
    return true;
}

namespace {

/// Nobody stays so long in a call in which one hears nothing.
constexpr std::int64_t long_enough = 40 * second_ns;

Finding made_up_for(const Case& one, const MediaDirection& direction, std::int64_t time) {
    const Phase& phase = one.phases().back();
    return {.cause = Cause::private_address,
            .sentence = name_at_start(direction.from) + " is told to send to " +
                        to_string(*direction.receiver_written->rtp) +
                        ", a private address, which the proxy passed on as it was. The call goes on for " +
                        seconds(time) + " all the same, so " + name(direction.from) +
                        " probably answers to where packets come from. No media is in the capture.",
            .change = "Nothing to repair, if both heard each other. To be sure capture the RTP too.",
            .confidence = Confidence::possible,
            .harmless = true,
            .frames = {phase.offer_frame, phase.frame}};
}

}  // namespace

/// A proxy hands the private address of a party behind a NAT on as it is, to somebody outside; their media goes another
/// way than the capture sees.
bool private_address_passed_on(const Case& one, Findings& findings) {
    if (!one.call().answered || one.media_seen() || one.phases().empty()) return false;
    const Phase& phase = one.phases().back();
    for (const Stream& stream : one.streams()) {
        for (const MediaDirection* direction : {&stream.to_callee, &stream.to_caller}) {
            const MediaDescription *own = direction->receiver_written, *told = direction->receiver_delivered;
            const bool passed_on = own != nullptr && told != nullptr && own != told && own->rtp == told->rtp;
            if (!passed_on || !own->rtp || !one.is_private(own->rtp->address) || !own->candidates.empty()) continue;
            const auto sender = one.visible(direction->from), receiver = one.visible(direction->to);
            const bool outside = sender && receiver && !one.is_private(*sender) && !one.is_private(*receiver);
            if (!outside || *sender == *receiver || !meant(phase, direction->line, direction->from)) continue;
            const std::int64_t time = one.end_ns() - phase.from_ns;
            if (time >= long_enough) {
                findings.add(made_up_for(one, *direction, time));
                continue;
            }
            findings.add({.cause = Cause::private_address,
                          .hears_nothing = direction->to,
                          .sentence = name_at_start(direction->to) + " hears nothing: " + name(direction->from) +
                                      " at " + to_string(*sender) + " is told to send to " + to_string(*own->rtp) +
                                      ", a private address, which the proxy passed on as it was. No media is in the "
                                      "capture: a server that learns where packets come from would make up for it.",
                          .change = "Put a media proxy in between (natkit: " + to_string(own->rtp->address) +
                                    " must lie in [network] nated or lan), or give " + name(direction->to) +
                                    " its public address (STUN, \"external address\"). To be sure capture the RTP at " +
                                    to_string(*sender) + " too.",
                          .confidence = Confidence::possible,
                          .frames = {phase.offer_frame, phase.frame}});
        }
    }
    return false;
}

}  // namespace natkit::diagnose
