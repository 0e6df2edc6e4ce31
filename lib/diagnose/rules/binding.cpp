#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// A NAT forgets a mapping that was not used for a while (RFC 4787 section 4.3), and lets in or turns round what it
/// likes.
namespace natkit::diagnose {
namespace {

constexpr std::int64_t least_silence = 4 * second_ns;  ///< no NAT forgets sooner
constexpr std::uint64_t many_kept = 25;                ///< packets
constexpr std::int64_t rebind_silence = 10 * second_ns;
constexpr const char* keepalive =
    "Keep the mapping open (no silence suppression, RTP keepalives), or let the relay follow (mediarelay does: rule "
    "rebind).";

/// Both behind the NAT with this outer address: as the capture shows on both its sides, or as both signal from it.
bool hairpins(const Case& one, const Path& path) {
    const IpAddress& at = path.stream->destination.address;
    if (path.forwarded || one.is_private(at)) return false;
    const bool inside = one.is_private(path.stream->source.address);
    const bool own_nat = std::ranges::any_of(one.paths().translations(), [&](const Translation& nat) {
        return nat.outside.address == at && nat.inside.address == path.stream->source.address;
    });
    const auto caller = one.visible(End::caller), callee = one.visible(End::callee);
    const bool same = caller && callee && *caller == at && *callee == at;
    return (inside && own_nat) || same;
}

/// When the party sent its last packet before that.
std::optional<std::int64_t> last_sent(const Case& one, End party, std::int64_t before_ns) {
    std::optional<std::int64_t> last;
    for (const RtpStream* stream : one.paths().sent_by(party)) {
        if (stream->first_ns <= before_ns) last = std::max(last.value_or(0), std::min(stream->last_ns, before_ns));
    }
    return last;
}

Finding not_turned_round(const MediaDirection& direction, const Astray& astray) {
    const Endpoint& at = astray.path->stream->destination;
    return {.cause = Cause::hairpin,
            .hears_nothing = direction.to,
            .sentence =
                name_at_start(direction.to) + " hears nothing: both parties are behind the NAT " +
                to_string(at.address) +
                ", which does not turn packets round (hairpinning, RFC 4787 section 6): " + packets(astray.packets) +
                " go from " + to_string(astray.path->stream->source) + " to its outer side " + to_string(at) + ".",
            .change =
                "Let parties behind one NAT send to each other's private addresses, or put a media proxy in "
                "between (natkit does where [network] nat_servers or a far-end site says so)."};
}

Finding forgotten(const Case& one, const MediaDirection& direction, const Astray& astray) {
    const Dead& dead = *direction.dead;
    const auto last = last_sent(one, direction.to, dead.from_ns);
    const std::string silent = last && dead.from_ns - *last > second_ns / 2
                                   ? " after " + tenths(static_cast<double>(dead.from_ns - *last) / second_ns) +
                                         " without a packet from inside"
                                   : std::string();
    return {.cause = Cause::binding_expired,
            .hears_nothing = direction.to,
            .sentence = name_at_start(direction.to) + " hears nothing" + since(one, dead) + ": " +
                        packets(astray.packets) + " still come to its NAT at " +
                        to_string(astray.path->stream->destination) +
                        ", and none gets in: the NAT has forgotten the mapping" + silent + ".",
            .change = keepalive};
}

constexpr std::int64_t least_deaf = 3 * second_ns / 2;
constexpr std::int64_t least_quiet = second_ns / 2;
constexpr std::int64_t turn = 8 * second_ns / 10;  ///< who pauses so long speaks in turns

/// It paused before, and went on.
bool paused(const RtpStream& stream) {
    std::size_t empty = 0;
    for (const std::uint16_t packets : stream.slots) {
        empty = packets == 0 ? empty + 1 : 0;
        if (static_cast<std::int64_t>(empty) * stream.slot_ns >= turn) return true;
    }
    return false;
}

/// What comes to a party behind a NAT, which may have described itself by the NAT's outer address, or be behind a
/// second NAT.
const RtpStream* coming_in(const Case& one, const MediaDirection& direction) {
    const MediaDescription* own = direction.receiver_written;
    if (own == nullptr || !own->rtp) return nullptr;
    const RtpStream* last = nullptr;
    for (const Path* path : direction.paths) {
        const Endpoint& at = path->stream->destination;
        if (path->inner || !one.is_private(at.address)) continue;
        if (at != own->rtp && one.paths().reach(*path, one.phases().back()) != Reach::arrives) continue;
        if (last == nullptr || path->stream->last_ns > last->last_ns) last = path->stream;
    }
    return last;
}

}  // namespace

/// Inside the NAT: the party was quiet, and then what came to it ends, reports too, long before the call does.
bool deaf_after_own_silence(const Case& one, const MediaDirection& direction, const MediaDirection& opposite,
                            Findings& findings) {
    if ((direction.dead && direction.dead->sent) || one.phases().empty()) return false;
    if (!meant(one.phases().back(), direction.line, direction.from)) return false;
    const RtpStream* in = coming_in(one, direction);
    if (in == nullptr || paused(*in) || in->last_ns < one.phases().back().from_ns) return false;
    const std::int64_t at = in->last_ns;
    const bool flowed = in->packets_in(at - second_ns, at) >= 10;
    const auto own = opposite.sent();
    const bool spoke = packets_of(own, in->first_ns, at) >= 10;
    const bool quiet = packets_of(own, at - least_quiet, at) == 0;
    if (one.end_ns() - at < least_deaf || !flowed || !spoke || !quiet) return false;
    const bool reports = std::ranges::any_of(one.facts().rtp, [&](const RtpStream& stream) {
        return stream.rtcp > 0 && stream.destination.address == in->destination.address && stream.last_ns > at;
    });
    if (reports) return false;
    findings.add({.cause = Cause::binding_expired,
                  .hears_nothing = direction.to,
                  .sentence = name_at_start(direction.to) + " hears nothing from " + tenths(one.at(at)) +
                              " on (the last packet is frame " + std::to_string(in->last_frame) +
                              "): it had sent nothing for a while, and then nothing came in any more, reports "
                              "neither: a NAT in front of it has forgotten the mapping, or the other side has stopped.",
                  .change = keepalive,
                  .confidence = Confidence::possible,
                  .frames = {in->last_frame},
                  .from_s = one.at(at),
                  .to_s = one.at(one.end_ns())});
    return true;
}

/// Requests to a client that was heard before, and does not answer now.
bool client_unreachable(const Case& one, Findings& findings) {
    if (findings.has(Cause::fragments_lost) || findings.has(Cause::rport_missing)) return false;
    for (const Request& request : one.call().requests) {
        if (request.status != 0 || request.copies < few_copies || !request.heard_ns || request.in_dialog) continue;
        if (request.method == "ACK" || request.tcp) continue;
        const std::int64_t silence = request.first_ns - *request.heard_ns;
        if (silence < least_silence) continue;
        findings.add(
            {.cause = Cause::binding_expired,
             .hears_nothing = {},
             .sentence = request.method + " was sent " + std::to_string(request.copies) + " times to " +
                         to_string(request.destination) + " and never answered; the client there was heard last " +
                         seconds(silence) + " before: its NAT has forgotten the mapping.",
             .change = "Send keepalives more often than the NAT forgets ([pinger] udp_interval, 25s by default), or "
                       "let the client do so.",
             .confidence = Confidence::inferred,
             .frames = {request.frame, request.last_frame}});
        break;
    }
    return false;
}

/// After a silence the packets of the receiver come from another port of its NAT; those for it go on to the old one.
bool port_changed_after_silence(const Case& one, const MediaDirection& direction, const MediaDirection&,
                                Findings& findings) {
    const MediaDescription* shown = direction.sender_delivered;
    if (shown == nullptr || !shown->rtp) return false;
    const auto streams = one.to(*shown->rtp);
    for (const RtpStream* old : streams) {
        for (const RtpStream* now : streams) {
            const std::int64_t silence = now->first_ns - old->last_ns;
            if (old == now || old->rtp == 0 || now->rtp == 0 || silence < rebind_silence) continue;
            if (old->source.address != now->source.address || old->source.port == now->source.port) continue;
            const auto served = one.to(now->source);
            if (packets_of(served, now->first_ns, now->last_ns + second_ns) > 0) continue;  // it has followed
            findings.add({.cause = Cause::binding_expired,
                          .hears_nothing = direction.to,
                          .sentence = name_at_start(direction.to) + " went silent for " + seconds(silence) +
                                      ", and its NAT gave it another port: packets came from " +
                                      to_string(old->source) + " and now come from " + to_string(now->source) +
                                      "; what is sent to the old one is lost.",
                          .change = keepalive,
                          .confidence = Confidence::inferred,
                          .frames = {old->last_frame, now->first_frame},
                          .from_s = one.at(now->first_ns)});
            return true;
        }
    }
    return false;
}

/// It comes from inside to a NAT of which both sides are in the capture, other media outside too, and none leaves it.
bool kept_in_nat(const Case& one, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    const auto& all = one.facts().rtp;
    for (const Path* path : direction.paths) {
        const RtpStream& stream = *path->stream;
        if (path->forwarded || path->inner || stream.distinct() < many_kept ||
            one.is_private(stream.destination.address))
            continue;
        const auto nat = std::ranges::find_if(one.call().translations, [&](const Translation& known) {
            return known.inside.address == stream.source.address && one.is_private(known.inside.address) &&
                   !one.is_private(known.outside.address);
        });
        if (nat == one.call().translations.end()) continue;
        const IpAddress& outside = nat->outside.address;
        const bool outside_captured = std::ranges::any_of(all, [&](const RtpStream& other) {
            return (other.source.address == outside && other.destination.address == stream.destination.address) ||
                   (other.destination.address == outside && other.source.address == stream.destination.address);
        });
        const bool leaves = std::ranges::any_of(
            all, [&](const RtpStream& other) { return other.ssrc == stream.ssrc && other.source != stream.source; });
        if (!outside_captured || leaves) continue;
        findings.add({.cause = Cause::never_arrives,
                      .hears_nothing = direction.to,
                      .sentence = name_at_start(direction.to) + " hears nothing: " + packets(stream.distinct()) +
                                  " come from " + to_string(stream.source) + " to the inner side of its NAT " +
                                  to_string(outside) + ", and none leaves it.",
                      .change = "Look at the rules of that NAT or firewall for UDP from " + to_string(stream.source) +
                                ", and at what it does for SIP (ALG).",
                      .frames = {stream.first_frame, stream.last_frame},
                      .from_s = one.at(stream.first_ns),
                      .to_s = one.at(stream.last_ns)});
        return true;
    }
    return false;
}

/// It comes to a NAT of which both sides are in the capture, and does not come out.
bool lost_in_nat(const Case& one, const MediaDirection& direction, const MediaDirection&, Findings& findings) {
    if (!direction.dead || !direction.dead->sent) return false;
    const Dead& dead = *direction.dead;
    for (const Astray& astray : dead.astray) {
        const bool unseen = astray.reach == Reach::refused || astray.reach == Reach::on_the_way;
        if (astray.reach == Reach::hairpin || (unseen && hairpins(one, *astray.path))) {
            findings.add(during(one, dead, not_turned_round(direction, astray)));
            return true;
        }
    }
    const bool only =
        std::ranges::all_of(dead.astray, [](const Astray& astray) { return astray.reach == Reach::on_the_way; });
    if (!only || dead.astray.empty()) return false;
    const auto at_nat = std::ranges::find_if(dead.astray, [&](const Astray& astray) {
        return one.paths().outside_of_nat(astray.path->stream->destination.address);
    });
    if (at_nat == dead.astray.end()) return false;
    if (dead.before) {
        findings.add(during(one, dead, forgotten(one, direction, *at_nat)));
        return true;
    }
    const Endpoint& at = at_nat->path->stream->destination;
    const auto own = one.paths().sent_by(direction.to);
    const auto outside = std::ranges::find_if(own, [&](const RtpStream* stream) {
        return stream->source.address == at.address && stream->source.port != at.port;
    });
    const bool other_port = outside != own.end();
    findings.add(during(
        one, dead,
        {.cause = other_port ? Cause::other_source : Cause::never_arrives,
         .hears_nothing = direction.to,
         .sentence = name_at_start(direction.to) + " hears nothing: " + packets(at_nat->packets) +
                     " come to its NAT at " + to_string(at) + ", and none gets in" +
                     (other_port ? "; its own packets leave the NAT from " + to_string((*outside)->source) + "." : "."),
         .change = "Answer to where its packets come from (symmetric RTP, \"comedia\"), or put a media "
                   "proxy in between that latches."}));
    return true;
}

}  // namespace natkit::diagnose
