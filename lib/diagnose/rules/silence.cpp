#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Nothing goes one way, and nothing says why.
namespace natkit::diagnose {
namespace {

/// Its reports go on: the party is there, and has nothing to say.
bool reports_go_on(const Case& one, const MediaDirection& direction, const Dead& dead) {
    for (const RtpStream& stream : one.facts().rtp) {
        if (stream.rtcp == 0 || stream.last_ns < dead.from_ns + 2 * second_ns) continue;
        for (const RtpStream* own : direction.sent()) {
            const bool theirs = stream.source.address == own->source.address &&
                                (stream.source.port == own->source.port || stream.source.port == own->source.port + 1);
            if (theirs && stream.destination.address == own->destination.address) return true;
        }
    }
    return false;
}

Finding stopped(const Case& one, const MediaDirection& direction, const Dead& dead) {
    const bool alive = reports_go_on(one, direction, dead);
    return {.cause = alive ? Cause::silence : Cause::stopped,
            .hears_nothing = alive ? std::nullopt : std::optional(direction.to),
            .sentence = name_at_start(direction.to) + " hears nothing" + since(one, dead) + ": the packets of " +
                        name(direction.from) + " end, while " + packets(dead.opposite) + " go the other way" +
                        (alive ? "; its reports (RTCP) go on, so it is muted or has nothing to say." : "."),
            .change = alive ? "Nothing to repair, if somebody muted the phone."
                            : "Look at " + name(direction.from) +
                                  ": it sends nothing any more (crashed, muted), or something on its side drops it: "
                                  "capture there.",
            .confidence = alive ? Confidence::inferred : Confidence::seen};
}

}  // namespace

bool no_packet(const Case& one, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    if (!direction.dead || direction.dead->sent) return false;
    const Dead& dead = *direction.dead;
    const bool began_in_phase = dead.from_ns != one.phases()[dead.phase].from_ns;
    if (began_in_phase) {
        findings.add(during(one, dead, stopped(one, direction, dead)));
        return true;
    }
    const auto& told = direction.traffic.told;
    if (!told) return false;
    findings.add(
        during(one, dead,
               {.cause = Cause::nothing_sent,
                .hears_nothing = direction.to,
                .sentence = name_at_start(direction.to) + " hears nothing" + since(one, dead) + ": no packet from " +
                            name(direction.from) + " to " + to_string(*told) + " is in the capture, while " +
                            packets(dead.opposite) + " go the other way.",
                .change = "Either " + name(direction.from) +
                          " sends nothing (muted, wrong codec, waiting for media), or a firewall on its side drops "
                          "UDP to " +
                          to_string(told->address) + ": capture there.",
                .confidence = Confidence::inferred}));
    return true;
}

}  // namespace natkit::diagnose
