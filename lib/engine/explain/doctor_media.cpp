#include <algorithm>
#include <utility>

#include "doctor_impl.hpp"

namespace natkit::explain {
namespace {

constexpr std::int64_t rebind_silence = 10 * second_ns;
constexpr std::uint64_t few_packets = 10;
constexpr unsigned bad_loss = 90;  ///< per cent

/// Whether the address in c= is none of the candidates: somebody changed the one and not the others (RFC 8839,
/// section 4.2.5 calls it a mismatch). It gives a relay away where only one hop is in the capture.
bool candidates_left_in(const StreamSeen& stream) {
    return stream.rtp && !stream.candidates.empty() && !stream.rtp->address.is_unspecified() &&
           std::ranges::find(stream.candidates, stream.rtp->address) == stream.candidates.end();
}

}  // namespace

void Doctor::look_at_stream(const Path& there, const Path& back) {
    look_for_loop(there);
    look_for_loop(back);
    if (found(Cause::media_loop)) return;  // all else that is missing is missing because of it
    look_for_ice(there, back);
    look_for_ice(back, there);
    if (found(Cause::ice_around_relay)) return;  // the relay rightly gets nothing
    for (const Path* path : {&there, &back}) {
        const Path& opposite = path == &there ? back : there;
        if (path->told == nullptr || path->own == nullptr) continue;  // no answer yet
        if (told_wrong_family(*path) || told_private(*path)) continue;
        if (rebound(*path) || comes_from_elsewhere(opposite) || relay_keeps_it(*path, opposite) ||
            lost_on_the_way(*path))
            continue;
        silent_way(*path, opposite);
    }
}

void Doctor::look_for_loop(const Path& path) {
    if (found(Cause::media_loop)) return;
    for (const auto* flows : {&path.in, &path.out}) {
        for (const MediaFlow* flow : *flows) {
            if (!flow->circles()) continue;
            add(Cause::media_loop, std::nullopt,
                "The same packets pass again and again from " + to_string(flow->source) + " to " +
                    to_string(flow->destination) + " (" + packets(flow->repeats) + " of " + std::to_string(flow->rtp) +
                    " had been there before): a media loop.",
                "Two relays send to each other: see looptrace for which of them can go.");
            return;
        }
    }
}

/// Candidates of somebody else than the relay, and media between the parties' own addresses.
void Doctor::look_for_ice(const Path& path, const Path& back) {
    if (found(Cause::ice_around_relay) || path.told == nullptr) return;
    if (!path.way.relayed && !candidates_left_in(*path.told)) return;
    for (const IpAddress& candidate : path.told->candidates) {
        if (candidate == path.told->rtp->address) continue;
        std::vector<IpAddress> senders = path.mine != nullptr ? path.mine->candidates : std::vector<IpAddress>();
        if (const auto seen = visible(path.way.from)) senders.push_back(*seen);
        for (const IpAddress& sender : senders) {
            const bool relay = back.way.relayed && back.told != nullptr && back.told->rtp;
            if (relay && sender == back.told->rtp->address) continue;
            const auto direct = flows_.between(sender, candidate, first_, last_);
            if (rtp_of(direct) == 0) continue;
            add(Cause::ice_around_relay, std::nullopt,
                "Media goes from " + to_string(sender) + " to " + to_string(candidate) + " directly (" +
                    packets(rtp_of(direct)) + "), around the relay at " + to_string(*path.told->rtp) +
                    ": ICE candidates were left in the session description.",
                "Let the relay drop the candidates (sdprewrite --ice drop, rtpengine ICE=remove), or offer the relay "
                "as the only one.");
            return;
        }
    }
}

bool Doctor::told_wrong_family(const Path& path) {
    if (!path.told->rtp || path.mine == nullptr || !path.mine->rtp ||
        path.told->rtp->address.family() == path.mine->rtp->address.family())
        return false;
    add(Cause::wrong_family, path.to,
        capital(name(path.way.from)) + " has media at " + to_string(*path.mine->rtp) + " and is told to send to " +
            to_string(*path.told->rtp) + ": " +
            (path.mine->rtp->address.is_v4() ? "IPv4 cannot reach IPv6." : "IPv6 cannot reach IPv4."),
        "Put a media proxy between the two families (natkit does so by the rule families-differ).");
    return true;
}

bool Doctor::told_private(const Path& path) {
    if (!path.told->rtp || !is_private(path.told->rtp->address) || path.told->hold) return false;
    const auto sender = visible(path.way.from);
    const bool outside = sender && !is_private(*sender);
    if (!outside) return false;
    // The capture was taken in front of the receiver's own NAT, and packets come through: somebody translates.
    if (path.way.sent > 0 && visible(path.to) == path.told->rtp->address) return false;
    const std::string where = to_string(path.told->rtp->address);
    add(Cause::private_address, path.to,
        capital(name(path.to)) + " hears nothing: " + name(path.way.from) + " at " + to_string(*sender) +
            " is told to send to " + to_string(*path.told->rtp) + ", a private address it cannot reach" +
            (path.way.sent > 0 ? " (" + packets(path.way.sent) + " went there in vain)." : "."),
        "Put a media proxy in between (natkit: " + where + " must lie in [network] nated or lan), or give " +
            name(path.to) + " its public address (STUN, \"external address\").");
    return true;
}

/// After a silence the packets of the receiver come from another port of its NAT; those for it go on to the old one.
bool Doctor::rebound(const Path& path) {
    if (path.shown == nullptr || !path.shown->rtp) return false;
    const auto flows = flows_.to(*path.shown->rtp, first_, last_);
    for (const MediaFlow* old : flows) {
        for (const MediaFlow* now : flows) {
            const std::int64_t silence = now->first_ns - old->last_ns;
            if (old == now || old->rtp == 0 || now->rtp == 0 || silence < rebind_silence) continue;
            if (old->source.address != now->source.address || old->source.port == now->source.port) continue;
            add(Cause::binding_expired, path.to,
                capital(name(path.to)) + " went silent for " + seconds(silence) +
                    ", and its NAT gave it another port: packets came from " + to_string(old->source) +
                    " and now come from " + to_string(now->source) + "; what is sent to the old one is lost.",
                "Keep the mapping open (no silence suppression, RTP keepalives), or let the relay follow (mediarelay "
                "does: rule rebind).");
            return true;
        }
    }
    return false;
}

/// `path` leads from the party that is heard from elsewhere than it said; who hears nothing is that party.
bool Doctor::comes_from_elsewhere(const Path& path) {
    if (path.mine == nullptr || !path.mine->rtp || path.mine->hold) return false;
    const Endpoint& said = *path.mine->rtp;
    for (const MediaFlow* flow : path.in) {
        if (flow->rtp < 5 || flow->source == said) continue;
        const auto seen = visible(path.way.from);
        const bool theirs = flow->source.address == said.address || (seen && flow->source.address == *seen);
        if (!theirs) continue;
        // What answers it: packets to the place it said, and none to where it sends from.
        const bool answered = rtp_of(flows_.to(flow->source, first_, last_)) > 0;
        const auto in_vain = rtp_of(flows_.to(said, first_, last_));
        if (answered || is_private(said.address)) continue;
        add(Cause::other_source, path.way.from,
            capital(name(path.way.from)) + " hears nothing: it said " + to_string(said) + " and sends from " +
                to_string(flow->source) + "; " +
                (in_vain > 0 ? packets(in_vain) + " went to the place it said, where its NAT lets nothing in."
                             : "nothing is sent back to there."),
            "Answer to where its packets come from: symmetric RTP (\"comedia\", nat=force_rport,comedia) at the other "
            "side, or a media proxy that latches "
            "([media_proxy] source_port_restriction = false for parties on the WAN).");
        return true;
    }
    return false;
}

bool Doctor::relay_keeps_it(const Path& path, const Path& back) {
    if (!path.way.relayed || path.way.sent == 0 || path.way.arrived > 0) return false;
    if (back.way.arrived == 0) {
        if (found(Cause::relay_not_joined)) return true;
        add(Cause::relay_not_joined, path.to,
            capital(name(path.way.from)) + " sends to the relay at " + to_string(*path.way.told) + " (" +
                packets(path.way.sent) + "), and the relay sends nothing on: its two legs are not joined" +
                (back.way.sent == 0 ? ", the other party never came." : "."),
            "Look at the relay: did it see the answer (was it given to it)? `mediarelay list` shows legs that nobody "
            "joined.");
        return true;
    }
    add(Cause::never_arrives, path.to,
        capital(name(path.to)) + " hears nothing: " + name(path.way.from) + " sends " + packets(path.way.sent) +
            " to the relay at " + to_string(*path.way.told) +
            ", and the relay does not send them on, though it serves the other direction.",
        "The relay refuses their source: see its drop records; the signalled address and the one they come from "
        "differ.");
    return true;
}

/// RTCP tells what was lost before or after the place of the capture.
bool Doctor::lost_on_the_way(const Path& path) {
    std::uint64_t claimed = 0;
    for (const MediaFlow* flow : path.in) claimed = std::max(claimed, flow->reported_sent);
    if (path.told->rtcp) {
        for (const MediaFlow* flow : flows_.to(*path.told->rtcp, first_, last_))
            claimed = std::max(claimed, flow->reported_sent);
    }
    if (claimed > 0 && path.way.sent == 0) {
        add(Cause::never_arrives, path.to,
            capital(name(path.to)) + " hears nothing: " + name(path.way.from) + " says (RTCP) it sent " +
                packets(claimed) + ", and none of them got as far as the capture.",
            "Something between " + name(path.way.from) + " and the capture drops UDP to " + to_string(*path.way.told) +
                ": a firewall, or a NAT without mapping.");
        return true;
    }
    if (path.way.sent == 0 || path.mine == nullptr || path.shown == nullptr || !path.shown->rtcp) return false;
    for (const MediaFlow* flow : flows_.to(*path.shown->rtcp, first_, last_)) {
        if (flow->reported_loss.value_or(0) < bad_loss) continue;
        add(Cause::never_arrives, path.to,
            capital(name(path.to)) + " hears nothing: " + packets(path.way.sent) + " go to " +
                to_string(*path.way.told) + ", and it reports (RTCP) that " + std::to_string(*flow->reported_loss) +
                " % never arrive.",
            "Something between the capture and " + std::string(name(path.to)) + " drops UDP to " +
                to_string(*path.way.told) + ": a firewall, or a NAT without mapping.");
        return true;
    }
    return false;
}

void Doctor::silent_way(const Path& path, const Path& back) {
    const bool meant =
        (path.mine != nullptr && !sdp::sends(path.mine->direction)) || (path.own != nullptr && path.own->hold);
    if (path.way.sent > 0 || back.way.sent < few_packets || meant || !path.way.told) return;
    add(Cause::nothing_sent, path.to,
        capital(name(path.to)) + " hears nothing: no packet from " + name(path.way.from) + " to " +
            to_string(*path.way.told) + " is in the capture, while " + packets(back.way.sent) + " go the other way.",
        "Either " + name(path.way.from) +
            " sends nothing (muted, wrong codec, waiting for media), or a firewall on its side drops UDP to " +
            to_string(path.way.told->address) + ": capture there.");
}

}  // namespace natkit::explain
