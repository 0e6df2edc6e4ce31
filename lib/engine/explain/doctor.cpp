#include "natkit/engine/explain/doctor.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace natkit::explain {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t open_end = 3600 * second;
constexpr std::int64_t rebind_silence = 10 * second;
constexpr unsigned few_copies = 3;
constexpr std::uint64_t few_packets = 10;
constexpr unsigned bad_loss = 90;  ///< per cent

const char* name(Side side) {
    return side == Side::caller ? "the caller" : "the callee";
}

std::string capital(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
}

std::string seconds(std::int64_t ns) {
    return std::to_string((ns + second / 2) / second) + " s";
}

std::string packets(std::uint64_t count) {
    return std::to_string(count) + (count == 1 ? " packet" : " packets");
}

/// One direction of one stream, with all that is known about it.
struct Path {
    Way way;
    Side to{};
    const StreamSeen* told = nullptr;   ///< the receiver's stream as the sender got it
    const StreamSeen* own = nullptr;    ///< as the receiver wrote it
    const StreamSeen* mine = nullptr;   ///< the sender's stream as it wrote it
    const StreamSeen* shown = nullptr;  ///< the sender's stream as the receiver got it
    std::vector<const MediaFlow*> in;   ///< to where the sender was told
    std::vector<const MediaFlow*> out;  ///< from the relay to the receiver; without a relay the same as `in`
};

class Doctor {
  public:
    Doctor(const Call& call, const FlowTable& flows, const Rules& rules)
        : call_(call),
          flows_(flows),
          rules_(rules),
          first_(call.first_ns - second),
          last_(call.last_ns + (call.ended ? 2 * second : open_end)) {}

    Explanation run();

  private:
    [[nodiscard]] Path path(std::size_t stream, Side from) const;
    [[nodiscard]] const StreamSeen* stream(const DescriptionSeen* description, std::size_t i) const {
        return description != nullptr && i < description->streams.size() ? &description->streams[i] : nullptr;
    }
    [[nodiscard]] std::optional<IpAddress> visible(Side side) const {
        const auto& source = side == Side::caller ? call_.caller_source : call_.callee_source;
        return source ? std::optional(source->address) : std::nullopt;
    }
    [[nodiscard]] bool is_private(const IpAddress& address) const {
        return rules_.networks.nated.contains(address) || rules_.networks.lan.contains(address);
    }
    [[nodiscard]] bool found(Cause cause) const {
        return std::ranges::any_of(result_.findings, [&](const Finding& finding) { return finding.cause == cause; });
    }
    void add(Cause cause, std::optional<Side> silent, std::string sentence, std::string change) {
        for (const Finding& known : result_.findings) {
            if (known.cause == cause && known.silent == silent) return;  // the same for another stream
        }
        result_.findings.push_back(
            {.cause = cause, .silent = silent, .sentence = std::move(sentence), .change = std::move(change)});
    }

    void look_at_messages();
    void look_at_stream(const Path& there, const Path& back);
    void look_for_loop(const Path& path);
    void look_for_ice(const Path& path, const Path& back);
    void look_for_hold();
    void never_talked();
    [[nodiscard]] bool told_private(const Path& path);
    [[nodiscard]] bool told_wrong_family(const Path& path);
    [[nodiscard]] bool rebound(const Path& path);
    [[nodiscard]] bool comes_from_elsewhere(const Path& path);
    [[nodiscard]] bool relay_keeps_it(const Path& path, const Path& back);
    [[nodiscard]] bool lost_on_the_way(const Path& path);
    void silent_way(const Path& path, const Path& back);

    const Call& call_;
    const FlowTable& flows_;
    const Rules& rules_;
    std::int64_t first_;
    std::int64_t last_;
    Explanation result_;
};

/// Of the same stream seen on both sides of a NAT at the same time, one counts.
std::uint64_t rtp_of(const std::vector<const MediaFlow*>& flows) {
    std::uint64_t count = 0;
    for (const MediaFlow* flow : flows) {
        const bool again = std::ranges::any_of(flows, [&](const MediaFlow* other) {
            const bool overlap = other->first_ns <= flow->last_ns && flow->first_ns <= other->last_ns;
            const bool first = other->rtp > flow->rtp || (other->rtp == flow->rtp && other < flow);
            return other != flow && other->ssrc == flow->ssrc && other->destination == flow->destination && overlap &&
                   first && flow->rtp > 0;
        });
        if (!again) count += flow->rtp;
    }
    return count;
}

Path Doctor::path(std::size_t i, Side from) const {
    Path path;
    path.to = other(from);
    path.way.from = from;
    path.told = stream(call_.delivered(path.to), i);
    path.own = stream(call_.written(path.to), i);
    path.mine = stream(call_.written(from), i);
    path.shown = stream(call_.delivered(from), i);
    if (path.told == nullptr || !path.told->rtp) return path;
    path.way.told = path.told->rtp;
    path.way.relayed = path.own != nullptr && path.own->rtp && path.own->rtp != path.told->rtp;
    path.in = flows_.to(*path.told->rtp, first_, last_);
    path.out = path.in;
    if (path.way.relayed && path.shown != nullptr && path.shown->rtp)
        path.out = flows_.from(*path.shown->rtp, first_, last_);
    path.way.sent = rtp_of(path.in);
    path.way.arrived = rtp_of(path.out);
    for (const MediaFlow* flow : path.in) {
        if (flow->rtp > 0 && path.way.sources.size() < 8) path.way.sources.push_back(flow->source);
    }
    return path;
}

Explanation Doctor::run() {
    result_.call_id = call_.call_id;
    result_.first_frame = call_.first_frame;
    look_at_messages();
    const DescriptionSeen* offer = call_.written(Side::caller);
    const DescriptionSeen* answer = call_.written(Side::callee);
    const std::size_t streams =
        std::max(offer != nullptr ? offer->streams.size() : 0, answer != nullptr ? answer->streams.size() : 0);
    look_for_hold();
    std::vector<std::pair<Path, Path>> paths;
    for (std::size_t i = 0; i < streams; ++i) {
        const Path there = path(i, Side::caller);
        const Path back = path(i, Side::callee);
        const StreamSeen* any = there.mine != nullptr ? there.mine : back.mine;
        if (any == nullptr || (there.mine != nullptr && there.mine->rejected) ||
            (back.mine != nullptr && back.mine->rejected))
            continue;
        result_.streams.push_back({.kind = any->kind, .to_callee = there.way, .to_caller = back.way});
        result_.media_seen = result_.media_seen || there.way.sent + back.way.sent > 0;
        paths.emplace_back(there, back);
    }
    if (!call_.answered && !result_.media_seen) {
        never_talked();
        return std::move(result_);
    }
    for (const auto& [there, back] : paths) look_at_stream(there, back);
    return std::move(result_);
}

// --- signalling ----------------------------------------------------------------------------------------------------

void Doctor::look_at_messages() {
    if (!call_.alg.empty()) {
        std::string signs;
        for (const record::Evidence& one : call_.alg)
            signs += (signs.empty() ? "" : "; ") + one.field + " " + one.value;
        add(Cause::alg_damage, std::nullopt,
            "A gateway on the way changed the messages and left them contradicting each other (" + signs + ").",
            "Switch off the SIP ALG (\"SIP helper\") in the router of that party, or use TLS so that it cannot read "
            "the messages.");
    }
    for (const RequestSeen& request : call_.requests) {
        if (request.status != 0 || request.copies < few_copies || !request.heard_ns) continue;
        add(Cause::binding_expired, std::nullopt,
            request.method + " was sent " + std::to_string(request.copies) + " times to " +
                to_string(request.destination) + " and never answered; the client there was heard last " +
                seconds(request.first_ns - *request.heard_ns) + " before: its NAT has forgotten the mapping.",
            "Send keepalives more often than the NAT forgets ([pinger] udp_interval, 25s by default), or let the "
            "client do so.");
        return;
    }
}

void Doctor::never_talked() {
    if (found(Cause::binding_expired)) return;
    if (call_.failure != 0) {
        add(Cause::not_answered, std::nullopt,
            "The call was refused (" + std::to_string(call_.failure) + ") before any media.",
            "Look at the signalling: no media was to flow.");
    } else {
        add(Cause::not_answered, std::nullopt,
            "The capture has an offer and no final answer: no media was to flow yet.",
            "Look at the signalling: is the phone ringing, or is the answer lost?");
    }
}

void Doctor::look_for_hold() {
    for (const DescriptionSeen& one : call_.descriptions) {
        const auto held = std::ranges::find_if(one.streams, [](const StreamSeen& stream) { return stream.hold; });
        if (held == one.streams.end()) continue;
        const bool zero = held->rtp && held->rtp->address.is_unspecified();
        const Side who = one.writer;
        const auto resumed = std::ranges::find_if(call_.descriptions, [&](const DescriptionSeen& later) {
            return later.writer == who && later.cseq > one.cseq &&
                   std::ranges::none_of(later.streams, [](const StreamSeen& stream) { return stream.hold; });
        });
        const std::string until =
            resumed == call_.descriptions.end() ? "from then on" : "until frame " + std::to_string(resumed->frame);
        add(Cause::on_hold, who,
            capital(name(who)) + " put the call on hold in frame " + std::to_string(one.frame) + " (" +
                (zero ? "c=0.0.0.0" : std::string("a=") + sdp::to_string(held->direction)) +
                "): that nothing is sent to it " + until + " is meant, and no failure.",
            "Nothing to repair; relays must not time out while a call is on hold ([media_proxy] hold_timeout).");
        return;
    }
}

// --- one stream ----------------------------------------------------------------------------------------------------

void Doctor::look_at_stream(const Path& there, const Path& back) {
    look_for_loop(there);
    look_for_loop(back);
    look_for_ice(there, back);
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
            if (flow->rtp < 10 || flow->repeats * 2 < flow->rtp) continue;
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
    if (found(Cause::ice_around_relay) || !path.way.relayed || path.told == nullptr) return;
    for (const IpAddress& candidate : path.told->candidates) {
        if (candidate == path.told->rtp->address) continue;
        std::vector<IpAddress> senders = path.mine != nullptr ? path.mine->candidates : std::vector<IpAddress>();
        if (const auto seen = visible(path.way.from)) senders.push_back(*seen);
        for (const IpAddress& sender : senders) {
            if (back.told != nullptr && back.told->rtp && sender == back.told->rtp->address) continue;
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
            "Something between " + std::string(name(path.way.from)) + " and the capture drops UDP to " +
                to_string(*path.way.told) + ": a firewall, or a NAT without mapping.");
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
        "Either " + std::string(name(path.way.from)) +
            " sends nothing (muted, wrong codec, waiting for media), or a firewall on its side drops UDP to " +
            to_string(path.way.told->address) + ": capture there.");
}

}  // namespace

const char* to_string(Cause cause) noexcept {
    constexpr std::array<const char*, 12> words = {"private-address-in-sdp", "rtp-from-elsewhere",
                                                   "nat-binding-expired",    "alg-damage",
                                                   "relay-not-joined",       "on-hold",
                                                   "wrong-family",           "ice-around-relay",
                                                   "never-arrives",          "media-loop",
                                                   "nothing-sent",           "not-answered"};
    return words[static_cast<std::size_t>(cause)];
}

Explanation diagnose(const Call& call, const FlowTable& flows, const Rules& rules) {
    return Doctor(call, flows, rules).run();
}

}  // namespace natkit::explain
