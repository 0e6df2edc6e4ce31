#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// RTP that comes from another place than the session description says.
namespace natkit::diagnose {

/// Who hears nothing is the one that sends: what answers it goes to the place it said.
bool sends_from_elsewhere(const Case& one, const MediaDirection&, const MediaDirection& opposite, Findings& findings) {
    const End sender = opposite.traffic.from;
    const MediaDescription* own = opposite.sender.written;
    if (own == nullptr || !own->rtp || own->hold) return false;
    const Endpoint& said = *own->rtp;
    for (const RtpStream* stream : opposite.sent) {
        if (stream->rtp < 5 || stream->source == said) continue;
        const auto seen = one.visible(sender);
        const bool theirs = stream->source.address == said.address || (seen && stream->source.address == *seen);
        if (!theirs) continue;
        const bool answered = packets_of(one.to(stream->source)) > 0;
        const std::uint64_t in_vain = packets_of(one.to(said));
        if (answered || one.is_private(said.address)) continue;
        findings.add(
            {.cause = Cause::other_source,
             .hears_nothing = sender,
             .sentence = name_at_start(sender) + " hears nothing: it said " + to_string(said) + " and sends from " +
                         to_string(stream->source) + "; " +
                         (in_vain > 0 ? packets(in_vain) + " went to the place it said, where its NAT lets nothing in."
                                      : "nothing is sent back to there."),
             .change = "Answer to where its packets come from: symmetric RTP (\"comedia\", nat=force_rport,comedia) "
                       "at the other side, or a media proxy that latches ([media_proxy] source_port_restriction = "
                       "false for parties on the WAN)."});
        return true;
    }
    return false;
}

}  // namespace natkit::diagnose
