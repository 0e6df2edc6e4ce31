#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Addresses in session descriptions that the one who is told them cannot reach.
namespace natkit::diagnose {

bool told_another_family(const Case&, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    const auto& told = direction.traffic.told;
    const MediaDescription* own = direction.sender.written;
    if (!told || own == nullptr || !own->rtp || told->address.family() == own->rtp->address.family()) return false;
    findings.add({.cause = Cause::wrong_family,
                  .hears_nothing = direction.to,
                  .sentence = name_at_start(direction.traffic.from) + " has media at " + to_string(*own->rtp) +
                              " and is told to send to " + to_string(*told) + ": " +
                              (own->rtp->address.is_v4() ? "IPv4 cannot reach IPv6." : "IPv6 cannot reach IPv4."),
                  .change = "Put a media proxy between the two families (natkit does so by the rule "
                            "families-differ)."});
    return true;
}

bool told_a_private_address(const Case& one, const MediaDirection& direction, const MediaDirection&,
                            Findings& findings) {
    const auto& [from, told, sent, arrived, sources, relayed] = direction.traffic;
    if (!told || !one.is_private(told->address) || direction.receiver.delivered->hold) return false;
    const auto sender = one.visible(from);
    const bool outside = sender && !one.is_private(*sender);
    if (!outside) return false;
    // The capture was taken in front of the receiver's own NAT, and packets come through: somebody translates.
    if (sent > 0 && one.visible(direction.to) == told->address) return false;
    findings.add({.cause = Cause::private_address,
                  .hears_nothing = direction.to,
                  .sentence = name_at_start(direction.to) + " hears nothing: " + name(from) + " at " +
                              to_string(*sender) + " is told to send to " + to_string(*told) +
                              ", a private address it cannot reach" +
                              (sent > 0 ? " (" + packets(sent) + " went there in vain)." : "."),
                  .change = "Put a media proxy in between (natkit: " + to_string(told->address) +
                            " must lie in [network] nated or lan), or give " + name(direction.to) +
                            " its public address (STUN, \"external address\")."});
    return true;
}

}  // namespace natkit::diagnose
