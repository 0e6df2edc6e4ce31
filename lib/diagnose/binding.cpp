#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// A NAT forgets a mapping that was not used for a while (RFC 4787 section 4.3).
namespace natkit::diagnose {
namespace {

constexpr unsigned few_copies = 3;
constexpr std::int64_t least_silence = 4 * second_ns;  ///< no NAT forgets sooner
constexpr std::int64_t rebind_silence = 10 * second_ns;

}  // namespace

/// Requests to a client that was heard before, and does not answer now.
bool client_unreachable(const Case& one, Findings& findings) {
    for (const Request& request : one.call().requests) {
        if (request.status != 0 || request.copies < few_copies || !request.heard_ns) continue;
        const std::int64_t silence = request.first_ns - *request.heard_ns;
        if (silence < least_silence) continue;
        findings.add(
            {.cause = Cause::binding_expired,
             .hears_nothing = {},
             .sentence = request.method + " was sent " + std::to_string(request.copies) + " times to " +
                         to_string(request.destination) + " and never answered; the client there was heard last " +
                         seconds(silence) + " before: its NAT has forgotten the mapping.",
             .change = "Send keepalives more often than the NAT forgets ([pinger] udp_interval, 25s by default), or "
                       "let the client do so."});
        break;
    }
    return false;
}

/// After a silence the packets of the receiver come from another port of its NAT; those for it go on to the old one.
bool port_changed_after_silence(const Case& one, const MediaDirection& direction, const MediaDirection&,
                                Findings& findings) {
    const MediaDescription* shown = direction.sender.delivered;
    if (shown == nullptr || !shown->rtp) return false;
    const auto streams = one.to(*shown->rtp);
    for (const RtpStream* old : streams) {
        for (const RtpStream* now : streams) {
            const std::int64_t silence = now->first_ns - old->last_ns;
            if (old == now || old->rtp == 0 || now->rtp == 0 || silence < rebind_silence) continue;
            if (old->source.address != now->source.address || old->source.port == now->source.port) continue;
            findings.add({.cause = Cause::binding_expired,
                          .hears_nothing = direction.to,
                          .sentence = name_at_start(direction.to) + " went silent for " + seconds(silence) +
                                      ", and its NAT gave it another port: packets came from " +
                                      to_string(old->source) + " and now come from " + to_string(now->source) +
                                      "; what is sent to the old one is lost.",
                          .change = "Keep the mapping open (no silence suppression, RTP keepalives), or let the relay "
                                    "follow (mediarelay does: rule rebind)."});
            return true;
        }
    }
    return false;
}

}  // namespace natkit::diagnose
