#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Nothing goes one way, and nothing says why.
namespace natkit::diagnose {
namespace {

/// More than this many packets that it says it sent, and the capture does not have: they are lost, and it is no
/// silence.
constexpr std::uint64_t few_unseen = 50;

/// Reports of the sender of a direction: of the same source (SSRC), or to the port that it was told for them.
bool reports_of(const MediaDirection& direction, const RtpStream& stream) {
    const MediaDescription* told = direction.receiver_delivered;
    if (told != nullptr && (told->rtcp == stream.destination || told->rtp == stream.destination)) return true;
    return std::ranges::any_of(direction.paths, [&](const Path* path) { return stream.sender == path->stream->ssrc; });
}

/// Its reports go on: the party is there, and has nothing to say.
bool reports_go_on(const Case& one, const MediaDirection& direction, const Dead& dead) {
    return std::ranges::any_of(one.facts().rtp, [&](const RtpStream& stream) {
        const bool lost = stream.reported_sent > direction.traffic.sent + few_unseen;
        return stream.rtcp > 0 && !lost && stream.last_ns > dead.from_ns + second_ns / 2 &&
               reports_of(direction, stream);
    });
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

/// The other way packets go to the outer side of the NAT that both are behind.
bool turned_back(const MediaDirection& direction) {
    return direction.dead && std::ranges::any_of(direction.dead->astray,
                                                 [](const Astray& astray) { return astray.reach == Reach::hairpin; });
}

Finding not_turned_round(const Case& one, const MediaDirection& direction) {
    return {.cause = Cause::hairpin,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing: it is behind the same NAT as " +
                        name(direction.from) + ", which has to send to its outer address " +
                        to_string(*direction.traffic.told) + ", and that turns nothing round (hairpinning).",
            .change =
                "Let parties behind one NAT send to each other's private addresses, or put a media proxy in "
                "between (natkit does where [network] nat_servers or a far-end site says so).",
            .confidence = Confidence::inferred,
            .from_s = one.at(direction.dead->from_ns)};
}

/// From where the receiver itself sends, where that is another address than the one it announces; else null.
const RtpStream* sends_from_elsewhere(const MediaDirection& direction, const MediaDirection& opposite) {
    const MediaDescription* own = direction.receiver_written;
    if (own == nullptr || !own->rtp) return nullptr;
    const auto streams = opposite.sent();
    const auto found = std::ranges::find_if(streams, [&](const RtpStream* stream) {
        return stream->rtp >= 5 && stream->source.address.family() == own->rtp->address.family();
    });
    return found == streams.end() || (*found)->source.address == own->rtp->address ? nullptr : *found;
}

/// That socket asked a STUN server for its address.
bool asked_stun(const Case& one, const Endpoint& source) {
    return std::ranges::any_of(one.facts().rtp, [&](const RtpStream& stream) {
        const bool server = stream.destination.port == 3478 || stream.destination.port == 19302;
        return stream.stun > 0 && server && stream.source == source;
    });
}

/// Seen at its side: it announces an address that it does not send from, and nothing comes.
std::optional<Finding> wrong_address(const Case& one, const MediaDirection& direction, const MediaDirection& opposite) {
    const RtpStream* own = sends_from_elsewhere(direction, opposite);
    if (own == nullptr || one.is_private(direction.receiver_written->rtp->address)) return std::nullopt;
    const std::string what = name_at_start(direction.to) + " hears nothing" + since(one, *direction.dead) +
                             ": it announces " + to_string(*direction.receiver_written->rtp) + " and sends from " +
                             to_string(own->source);
    if (!one.is_private(own->source.address)) {
        if (!one.paths().signals_from(direction.to, own->source.address)) return std::nullopt;
        return Finding{.cause = Cause::wrong_interface,
                       .hears_nothing = direction.to,
                       .sentence = what + ", where it also signals from; nothing comes to either.",
                       .change =
                           "Let it announce the address of the interface that it uses (natkit: [media_proxy] "
                           "addresses; Asterisk: external_media_address; FreeSWITCH: ext-rtp-ip; rtpengine: "
                           "interface=).",
                       .confidence = Confidence::inferred};
    }
    if (!asked_stun(one, own->source)) return std::nullopt;
    return Finding{.cause = Cause::other_source,
                   .hears_nothing = direction.to,
                   .sentence = what +
                               ": that address is of its mapping to a STUN server, and nothing comes in by it. "
                               "Its NAT uses another mapping for each peer.",
                   .change = "STUN does not help behind such a NAT: use a relay (TURN, or a media proxy that latches).",
                   .confidence = Confidence::inferred};
}

/// No voice, but a picture or text, while its sender is heard: a camera that is off, somebody who does not type.
bool beside_voice(const Case& one, const MediaDirection& direction) {
    if (direction.sender_written == nullptr || direction.sender_written->kind == "audio") return false;
    return std::ranges::any_of(one.streams(), [&](const Stream& stream) {
        const MediaDirection& same = direction.from == End::caller ? stream.to_callee : stream.to_caller;
        return stream.kind == "audio" && !same.dead && same.traffic.arrived > 0;
    });
}

Finding no_picture(const Case& one, const MediaDirection& direction) {
    return {.cause = Cause::silence,
            .sentence = name_at_start(direction.from) + " sends no " + direction.sender_written->kind +
                        since(one, *direction.dead) + ", and is heard: a camera that is off, say.",
            .change = "Nothing to repair, if that is meant.",
            .confidence = Confidence::possible};
}

std::string where_to_look(const Case& one, const MediaDirection& direction) {
    const IpAddress& told = direction.traffic.told->address;
    const std::string silent = "Either " + name(direction.from) + " sends nothing (muted, waiting for media), or ";
    const auto sender = one.visible(direction.from);
    if (one.is_private(told) && sender && !one.is_private(*sender))
        return silent + "it, or a relay for it, sends to " + to_string(told) + ", which it cannot reach: capture at " +
               to_string(*sender) + ".";
    return silent + "a firewall on its side drops UDP to " + to_string(told) + ": capture there.";
}

}  // namespace

bool no_packet(const Case& one, const MediaDirection& direction, const MediaDirection& opposite, Findings& findings) {
    if (!direction.dead || direction.dead->sent) return false;
    const Dead& dead = *direction.dead;
    if (beside_voice(one, direction)) {
        findings.add(during(one, dead, no_picture(one, direction)));
        return true;
    }
    const bool began_in_phase = dead.from_ns != one.phases()[dead.phase].from_ns;
    if (began_in_phase) {
        findings.add(during(one, dead, stopped(one, direction, dead)));
        return true;
    }
    const auto& told = direction.traffic.told;
    if (!told) return false;
    if (turned_back(opposite)) {
        findings.add(not_turned_round(one, direction));
        return true;
    }
    if (auto found = wrong_address(one, direction, opposite);
        found && (!dead.before || dead_since_described(one, direction))) {
        findings.add(during(one, dead, *std::move(found)));
        return true;
    }
    if (direction.traffic.sent > 0 && reports_go_on(one, direction, dead)) {
        findings.add(
            during(one, dead,
                   {.cause = Cause::silence,
                    .sentence = name_at_start(direction.to) + " hears nothing" + since(one, dead) + ": " +
                                name(direction.from) +
                                " sends reports (RTCP) and hardly any media: it is muted or has nothing to say.",
                    .change = "Nothing to repair, if somebody muted the phone.",
                    .confidence = Confidence::inferred}));
        return true;
    }
    std::string checks;
    if (const auto tried = unanswered_checks(one, direction.from))
        checks = " Its connectivity checks (ICE) to " + to_string(tried->to) + " (" + std::to_string(tried->count) +
                 ", first in frame " + std::to_string(tried->frame) + ") were never answered.";
    findings.add(during(one, dead,
                        {.cause = Cause::nothing_sent,
                         .hears_nothing = direction.to,
                         .sentence = name_at_start(direction.to) + " hears nothing" + since(one, dead) +
                                     ": no packet from " + name(direction.from) + " to " + to_string(*told) +
                                     " is in the capture" + (dead.before ? " since then" : "") + ", while " +
                                     packets(dead.opposite) + " go the other way." + checks,
                         .change = where_to_look(one, direction),
                         .confidence = Confidence::inferred}));
    return true;
}

}  // namespace natkit::diagnose
