#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// RTCP (RFC 3550 section 6.4) tells what was lost before or after the place of the capture.
namespace natkit::diagnose {
namespace {

constexpr unsigned bad_loss = 90;   ///< per cent: nothing is heard
constexpr unsigned heard_loss = 5;  ///< per cent: heard chopped
constexpr std::uint32_t few_gaps = 3;
constexpr std::uint64_t enough = 50;  ///< packets to judge by

/// Reports that come from another host than the media was announced for: that of a gateway's signalling, say, of which
/// the capture has nothing but that.
bool from_another_host(const Case& one, const MediaDirection& direction, const RtpStream& stream) {
    bool announced = false;
    for (const MediaDescription* said : {direction.sender_written, direction.sender_delivered}) {
        if (said == nullptr || !said->rtp) continue;
        if (said->rtp->address == stream.source.address || one.is_private(said->rtp->address)) return false;
        announced = true;
    }
    return announced;
}

/// Packets that the sender of a direction says it sent.
std::uint64_t reported_sent(const Case& one, const MediaDirection& direction) {
    std::uint64_t most = 0;
    for (const RtpStream* stream : direction.sent()) most = std::max(most, stream->reported_sent);
    for (const auto& at : {direction.receiver_delivered->rtp, direction.receiver_delivered->rtcp}) {
        if (!at) continue;
        for (const RtpStream* stream : one.to(*at)) {
            if (!from_another_host(one, direction, *stream)) most = std::max(most, stream->reported_sent);
        }
    }
    return most;
}

/// Per cent that the receiver of a direction says it misses, where that is nearly all.
std::optional<unsigned> reported_loss(const Case& one, const MediaDirection& direction) {
    const MediaDescription *written = direction.sender_written, *delivered = direction.sender_delivered;
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
    const End from = direction.from;
    const auto& told = direction.traffic.told;
    const std::uint64_t sent = direction.traffic.sent, arrived = direction.traffic.arrived;
    if (!told || direction.receiver_delivered == nullptr) return false;
    if (sent == 0 && arrived == 0) {
        const std::uint64_t claimed = reported_sent(one, direction);
        if (claimed == 0) return false;
        findings.add(never_arrives(
            direction,
            name(from) + " says (RTCP) it sent " + packets(claimed) + ", and none of them got as far as the capture.",
            name(from) + " and the capture"));
        return true;
    }
    if (direction.dead) return false;  // and it is known where they go
    const auto loss = reported_loss(one, direction);
    if (!loss) return false;
    findings.add(never_arrives(direction,
                               packets(sent) + " go to " + to_string(*told) + ", and it reports (RTCP) that " +
                                   std::to_string(*loss) + " % never arrive.",
                               "the capture and " + name(direction.to)));
    return true;
}

/// Of what arrives: the last hop that the capture has.
bool packets_missing(const Case& one, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    if (direction.dead || one.phases().empty() || findings.has(Cause::loss)) return false;
    const RtpStream* worst = nullptr;
    const auto share = [](const RtpStream& stream) {
        return stream.missing * 100.0 / static_cast<double>(stream.missing + stream.distinct());
    };
    for (const Path* path : direction.paths) {
        const RtpStream& stream = *path->stream;
        if (stream.distinct() < enough || share(stream) < heard_loss) continue;
        if (stream.gaps > 0 && stream.gaps < few_gaps) continue;  // an interruption, or how the capture began
        if (one.paths().reach(*path, one.phases().back()) != Reach::arrives) continue;
        if (worst == nullptr || share(stream) > share(*worst)) worst = &stream;
    }
    if (worst == nullptr) return false;
    findings.add({.cause = Cause::loss,
                  .sentence = name_at_start(direction.to) + " hears " + name(direction.from) + " chopped: of " +
                              packets(worst->distinct() + worst->missing) + " from " + to_string(worst->source) +
                              " to " + to_string(worst->destination) + ", " + std::to_string(worst->missing) + " (" +
                              std::to_string(static_cast<unsigned>(share(*worst))) + " %) are missing.",
                  .change = "Look for a full link, Wi-Fi or a duplex fault between " + name(direction.from) +
                            " and the place of the capture. That is quality, and no matter of NAT.",
                  .frames = {worst->first_frame, worst->last_frame}});
    return true;
}

}  // namespace natkit::diagnose
