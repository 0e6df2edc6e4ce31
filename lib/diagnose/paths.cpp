#include "natkit/diagnose/paths.hpp"

#include <algorithm>
#include <utility>

namespace natkit::diagnose {
namespace {

constexpr int near_packets = 150;  ///< three seconds of usual audio

/// One behind the other, or side by side: the same packets. The number of the first packet of each fits the other's.
bool same_media(const RtpStream& a, const RtpStream& b) {
    if (a.ssrc != b.ssrc || a.rtp == 0 || b.rtp == 0) return false;
    const RtpStream& early = a.first_ns <= b.first_ns ? a : b;
    const RtpStream& late = a.first_ns <= b.first_ns ? b : a;
    if (late.first_ns > early.last_ns + 60 * second_ns) return false;
    const std::uint64_t before = early.packets_in(early.first_ns, late.first_ns);
    const auto expected = static_cast<std::uint16_t>(early.first_sequence + before);
    const auto apart = static_cast<std::int16_t>(late.first_sequence - expected);
    const bool silent_between = late.first_ns > early.last_ns;
    return apart > -near_packets && (apart < near_packets || (silent_between && apart < 3000));
}

/// Both have the packets of the same time. One that a sender turned to for a moment has those that the other has not.
bool at_once(const RtpStream& a, const RtpStream& b) {
    const std::int64_t from_ns = std::max(a.first_ns, b.first_ns), to_ns = std::min(a.last_ns, b.last_ns);
    const std::uint64_t least = std::min(a.packets_in(from_ns, to_ns), b.packets_in(from_ns, to_ns));
    const std::uint64_t most = std::max(a.packets_in(from_ns, to_ns), b.packets_in(from_ns, to_ns));
    return (to_ns - from_ns) * 2 > std::min(a.last_ns - a.first_ns, b.last_ns - b.first_ns) && least >= 3 &&
           least * 2 >= most;
}

}  // namespace

Paths::Paths(const CallFacts& facts, const std::vector<Phase>& phases)
    : facts_(facts), phases_(phases), translations_(facts.call.translations) {
    read_names(phases);
    read_boxes();
    label();
    find_inner();
}

void Paths::read_names(const std::vector<Phase>& phases) {
    const auto add = [this](const MediaDescription* media, End party, std::size_t line, bool own) {
        if (media == nullptr || !media->rtp || media->rtp->address.is_unspecified()) return;
        const bool known = std::ranges::any_of(names_, [&](const Named& name) {
            return name.at == *media->rtp && name.party == party && name.own == own;
        });
        if (!known) names_.push_back({.at = *media->rtp, .party = party, .line = line, .own = own});
    };
    for (const Phase& phase : phases) {
        for (const End party : {End::caller, End::callee}) {
            for (std::size_t line = 0; line < 16; ++line) {
                const MediaDescription* written = phase.written_by(party, line);
                const MediaDescription* delivered = phase.delivered_of(party, line);
                add(written, party, line, true);
                if (delivered != nullptr && (written == nullptr || written->rtp != delivered->rtp))
                    add(delivered, party, line, false);
            }
        }
    }
}

/// A machine that a request comes to and goes on from, and the two faces of a relay.
void Paths::read_boxes() {
    const auto add = [this](const IpAddress& a, const IpAddress& b) {
        if (boxes_.size() < 64 && std::ranges::find(boxes_, std::pair(a, b)) == boxes_.end()) boxes_.emplace_back(a, b);
    };
    for (const Request& in : facts_.call.requests) {
        for (const Request& out : facts_.call.requests) {
            if (in.method == out.method && in.cseq == out.cseq && in.sender == out.sender && out.vias == in.vias + 1 &&
                out.first_ns >= in.first_ns && out.first_ns - in.first_ns < second_ns)
                add(in.destination.address, out.source.address);
        }
    }
    for (const Named& a : names_) {
        for (const Named& b : names_) {
            if (!a.own && !b.own && a.party != b.party && a.line == b.line) add(a.at.address, b.at.address);
        }
        if (!a.own) add(a.at.address, a.at.address);
    }
}

bool Paths::same_box(const IpAddress& a, const IpAddress& b) const {
    return std::ranges::any_of(boxes_, [&](const auto& pair) {
        return (pair.first == a && (pair.second == b || a == b)) || (pair.second == a && (pair.first == b || a == b));
    });
}

const Paths::Named* Paths::named(const Endpoint& at, bool own) const {
    const auto found =
        std::ranges::find_if(names_, [&](const Named& name) { return name.at == at && name.own == own; });
    return found == names_.end() ? nullptr : &*found;
}

/// Told by its two ends alone.
std::optional<Path> Paths::by_ends(const RtpStream& stream) const {
    if (const Named* sender = named(stream.source, true))
        return Path{.stream = &stream, .from = sender->party, .line = sender->line};
    if (const Named* relay = named(stream.source, false)) {
        const bool back = std::ranges::any_of(facts_.rtp, [&](const RtpStream& sent) {
            return sent.source == stream.destination && sent.destination == stream.source && same_media(sent, stream);
        });
        const End from = back ? other(relay->party) : relay->party;
        return Path{.stream = &stream, .from = from, .line = relay->line, .forwarded = true};
    }
    return std::nullopt;
}

/// Told by a stream that is known and has the same media, or by where it goes to.
std::optional<Path> Paths::by_media(const RtpStream& stream) const {
    for (const Path& known : paths_) {
        const RtpStream& other = *known.stream;
        if (!same_media(stream, other)) continue;
        Path path{.stream = &stream, .from = known.from, .line = known.line, .forwarded = known.forwarded};
        if (stream.destination == other.destination || stream.source == other.source) return path;
        path.forwarded = true;
        if (same_box(stream.source.address, other.destination.address)) return path;
        path.forwarded = false;
        if (same_box(other.source.address, stream.destination.address)) return path;
    }
    const auto sent_to = [&](const Named* receiver) {
        return Path{.stream = &stream,
                    .from = diagnose::other(receiver->party),
                    .line = receiver->line,
                    .forwarded = same_box(stream.source.address, stream.source.address)};
    };
    if (const Named* relay = named(stream.destination, false)) return sent_to(relay);
    if (const Named* receiver = named(stream.destination, true)) return sent_to(receiver);
    Endpoint rtp = stream.destination;  // it may be the port of RTCP
    --rtp.port;
    if (const Named* receiver = named(rtp, true)) return sent_to(receiver);
    if (const Named* relay = named(rtp, false)) return sent_to(relay);
    for (const Path& known : paths_) {  // an answer to where the other's packets come from
        if (!known.forwarded && known.stream->source == stream.destination)
            return Path{.stream = &stream,
                        .from = diagnose::other(known.from),
                        .line = known.line,
                        .forwarded = same_box(stream.source.address, stream.source.address)};
    }
    return std::nullopt;
}

/// From the ends inwards, until no stream is told any more.
void Paths::label() {
    std::vector<const RtpStream*> open;
    for (const RtpStream& stream : facts_.rtp) {
        if (stream.rtp == 0) continue;
        if (const auto path = by_ends(stream)) {
            paths_.push_back(*path);
        } else {
            open.push_back(&stream);
        }
    }
    for (bool any = true; any && !open.empty();) {
        any = false;
        for (auto one = open.begin(); one != open.end();) {
            const auto path = by_media(**one);
            if (path) paths_.push_back(*path);
            any = any || path;
            one = path ? open.erase(one) : one + 1;
        }
    }
    std::ranges::sort(paths_, {}, [](const Path& path) { return path.stream; });  // as they began
}

/// Packets in front of a NAT and behind it: the translation of a source, or of a destination.
void Paths::find_inner() {
    const auto add = [this](const Translation& one) {
        if (translations_.size() < 64 && std::ranges::find(translations_, one) == translations_.end())
            translations_.push_back(one);
    };
    for (Path& path : paths_) {
        const RtpStream& inside = *path.stream;
        for (const Path& another : paths_) {
            const RtpStream& outside = *another.stream;
            if (&path == &another || path.from != another.from) continue;
            if (inside.source != outside.source && inside.destination != outside.destination) continue;
            if (!same_media(inside, outside)) continue;
            const bool at_both = at_once(inside, outside) || outside_of_nat(outside.destination.address);
            if (inside.source == outside.source && inside.destination != outside.destination && at_both &&
                is_private(inside.destination.address) && !is_private(outside.destination.address)) {
                path.inner = true;
                add({.inside = inside.destination, .outside = outside.destination});
            }
            if (inside.destination == outside.destination && inside.source != outside.source &&
                at_once(inside, outside) && is_private(inside.source.address) && !is_private(outside.source.address))
                add({.inside = inside.source, .outside = outside.source});
        }
    }
}

std::vector<const RtpStream*> Paths::sent_by(End party) const {
    std::vector<const RtpStream*> streams;
    for (const Path& path : paths_) {
        if (path.from == party && !path.forwarded && !path.inner) streams.push_back(path.stream);
    }
    return streams;
}

bool Paths::is_private(const IpAddress& address) const {
    return facts_.networks.nated.contains(address) || facts_.networks.lan.contains(address);
}

bool Paths::outside_of_nat(const IpAddress& address) const {
    return std::ranges::any_of(translations_, [&](const Translation& one) { return one.outside.address == address; });
}

bool Paths::seen(const IpAddress& address) const {
    const auto in_message = [&](const Request& one) {
        return one.source.address == address || (one.destination.address == address && one.status != 0);
    };
    const auto signals = [&](const std::optional<Endpoint>& source) { return source && source->address == address; };
    return signals(facts_.call.caller_source) || signals(facts_.call.callee_source) ||
           std::ranges::any_of(facts_.call.requests, in_message) ||
           std::ranges::any_of(translations_, [&](const Translation& one) { return one.inside.address == address; }) ||
           std::ranges::any_of(facts_.rtp, [&](const RtpStream& one) { return one.source.address == address; });
}

bool Paths::behind_nat(End party) const {
    if (facts_.call.behind_nat[static_cast<std::size_t>(party)]) return true;
    for (const Named& name : names_) {
        if (name.party != party || !name.own) continue;
        if (is_private(name.at.address) || outside_of_nat(name.at.address)) return true;
        for (const RtpStream& stream : facts_.rtp) {  // it asked a STUN server for its address
            const bool server = stream.destination.port == 3478 || stream.destination.port == 19302;
            if (stream.stun > 0 && server && stream.source.address == name.at.address) return true;
        }
    }
    return false;
}

/// Of two streams with the same packets the one that has fewer does not count.
std::uint64_t packets_of(std::span<const RtpStream* const> streams, std::int64_t from_ns, std::int64_t to_ns) {
    std::uint64_t all = 0;
    for (const RtpStream* stream : streams) {
        const std::uint64_t packets = stream->packets_in(from_ns, to_ns);
        const bool again = std::ranges::any_of(streams, [&](const RtpStream* another) {
            if (another == stream || another->ssrc != stream->ssrc || another->source == stream->source) return false;
            const std::uint64_t theirs =
                another->packets_in(std::max(from_ns, stream->first_ns), std::min(to_ns, stream->last_ns));
            return theirs * 5 >= packets * 4 && (theirs > packets || (theirs == packets && another < stream));
        });
        if (!again) all += packets;
    }
    return all;
}

}  // namespace natkit::diagnose
