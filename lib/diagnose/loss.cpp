#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// RTCP (RFC 3550 section 6.4) tells what was lost before or after the place of the capture.
namespace natkit::diagnose {
namespace {

constexpr unsigned bad_loss = 90;  ///< per cent

/// Packets that the sender of a direction says it sent.
std::uint64_t reported_sent(const Case& one, const MediaDirection& direction) {
    std::uint64_t most = 0;
    for (const RtpStream* stream : direction.sent) most = std::max(most, stream->reported_sent);
    if (!direction.receiver.delivered->rtcp) return most;
    for (const RtpStream* stream : one.to(*direction.receiver.delivered->rtcp))
        most = std::max(most, stream->reported_sent);
    return most;
}

/// Per cent that the receiver of a direction says it misses, where that is nearly all.
std::optional<unsigned> reported_loss(const Case& one, const MediaDirection& direction) {
    const auto& [written, delivered] = direction.sender;
    if (written == nullptr || delivered == nullptr || !delivered->rtcp) return std::nullopt;
    for (const RtpStream* stream : one.to(*delivered->rtcp)) {
        if (stream->reported_loss.value_or(0) >= bad_loss) return stream->reported_loss;
    }
    return std::nullopt;
}

Finding never_arrives(const MediaDirection& direction, const std::string& how, const std::string& where) {
    return {.cause = Cause::never_arrives,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing: " + how,
            .change = "Something between " + where + " drops UDP to " + to_string(*direction.traffic.told) +
                      ": a firewall, or a NAT without mapping."};
}

}  // namespace

bool lost_by_rtcp(const Case& one, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    const auto& [from, told, sent, arrived, sources, relayed] = direction.traffic;
    if (!told) return false;
    if (sent == 0) {
        const std::uint64_t claimed = reported_sent(one, direction);
        if (claimed == 0) return false;
        findings.add(never_arrives(
            direction,
            name(from) + " says (RTCP) it sent " + packets(claimed) + ", and none of them got as far as the capture.",
            name(from) + " and the capture"));
        return true;
    }
    const auto loss = reported_loss(one, direction);
    if (!loss) return false;
    findings.add(never_arrives(direction,
                               packets(sent) + " go to " + to_string(*told) + ", and it reports (RTCP) that " +
                                   std::to_string(*loss) + " % never arrive.",
                               "the capture and " + name(direction.to)));
    return true;
}

}  // namespace natkit::diagnose
