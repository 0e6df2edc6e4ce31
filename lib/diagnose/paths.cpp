#include "natkit/diagnose/paths.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace natkit::diagnose {
namespace {

constexpr int near_packets = 150;          ///< three seconds of usual audio
constexpr std::size_t most_compared = 32;  ///< streams of one source that may have the same packets

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
    read_candidates(phases);
    read_boxes();
    label();
    find_inner();
    for (const Path& path : paths_) {
        if (!path.forwarded && !path.inner) sent_[static_cast<std::size_t>(path.from)].push_back(path.stream);
    }
    read_addresses();
    find_refused();
}

void Paths::read_names(const std::vector<Phase>& phases) {
    const auto add = [this](const MediaDescription* media, End party, std::size_t line, bool own) {
        if (media == nullptr || !media->rtp || media->rtp->address.is_unspecified()) return;
        std::uint32_t& number = names_at_[*media->rtp][static_cast<std::size_t>(party)][own ? 1 : 0];
        if (number != 0) return;
        names_.push_back({.at = *media->rtp, .party = party, .line = line, .own = own});
        number = static_cast<std::uint32_t>(names_.size());
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

void Paths::read_candidates(const std::vector<Phase>& phases) {
    constexpr std::size_t most = 64;
    for (const Phase& phase : phases) {
        for (const End party : {End::caller, End::callee}) {
            for (std::size_t line = 0; line < 16; ++line) {
                const MediaDescription* written = phase.written_by(party, line);
                if (written == nullptr) break;
                for (const Endpoint& at : written->candidates) {
                    if (named(at, true) == nullptr && !candidate_of(at) && candidates_.size() < most)
                        candidates_.push_back({.at = at, .party = party, .line = line, .own = true});
                }
            }
        }
    }
    for (const RtpStream& stream : facts_.rtp) {
        if (stream.check_answers > 0) answer_from_.push_back(stream.source);
    }
}

std::optional<End> Paths::candidate_of(const Endpoint& at) const {
    const auto found = std::ranges::find(candidates_, at, &Named::at);
    return found == candidates_.end() ? std::nullopt : std::optional(found->party);
}

bool Paths::answers_checks(const Endpoint& at) const {
    return std::ranges::find(answer_from_, at) != answer_from_.end();
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
    const auto found = names_at_.find(at);
    if (found == names_at_.end()) return nullptr;
    const std::uint32_t caller = found->second[0][own ? 1 : 0], callee = found->second[1][own ? 1 : 0];
    const std::uint32_t first = caller == 0 || callee == 0 ? std::max(caller, callee) : std::min(caller, callee);
    return first == 0 ? nullptr : &names_[first - 1];
}

/// Told by its two ends alone.
std::optional<Path> Paths::by_ends(const RtpStream& stream) const {
    if (const Named* sender = named(stream.source, true))
        return Path{.stream = &stream, .from = sender->party, .line = sender->line};
    if (const Named* relay = named(stream.source, false)) {
        const bool back = std::ranges::any_of(facts_.rtp, [&](const RtpStream& sent) {
            return sent.source == stream.destination && sent.destination == stream.source && same_media(sent, stream);
        });
        // Unless it comes in at the relay's other face: somebody there speaks into an echo, or both by one number.
        const bool passed_on = back && std::ranges::any_of(facts_.rtp, [&](const RtpStream& sent) {
                                   const Named* face = named(sent.destination, false);
                                   return face != nullptr && face->party != relay->party && face->line == relay->line &&
                                          same_media(sent, stream);
                               });
        const End from = back && !passed_on ? other(relay->party) : relay->party;
        return Path{.stream = &stream, .from = from, .line = relay->line, .forwarded = true};
    }
    const auto candidate = std::ranges::find(candidates_, stream.source, &Named::at);
    if (candidate != candidates_.end())
        return Path{.stream = &stream, .from = candidate->party, .line = candidate->line};
    return std::nullopt;
}

/// Told by a stream that is known and has the same media, or by where it goes to. It was compared with those before
/// `first_new` already.
std::optional<Path> Paths::by_media(const RtpStream& stream, std::size_t first_new) const {
    const auto recent = std::span(paths_).subspan(first_new);
    for (const Path& known : recent) {
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
    for (const Path& known : recent) {  // an answer to where the other's packets come from
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
    struct Open {
        const RtpStream* stream;
        std::size_t compared = 0;  ///< with so many paths
    };
    std::vector<Open> open;
    for (const RtpStream& stream : facts_.rtp) {
        if (stream.rtp == 0) continue;
        if (const auto path = by_ends(stream)) {
            paths_.push_back(*path);
        } else {
            open.push_back({.stream = &stream});
        }
    }
    for (bool any = true; any && !open.empty();) {
        any = false;
        for (auto one = open.begin(); one != open.end();) {
            const auto path = by_media(*one->stream, one->compared);
            one->compared = paths_.size();
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
        if (!is_private(inside.source.address) && !is_private(inside.destination.address)) continue;
        for (const Path& another : paths_) {
            const RtpStream& outside = *another.stream;
            if (&path == &another || path.from != another.from) continue;
            if ((inside.source == outside.source) == (inside.destination == outside.destination)) continue;
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

/// Where messages and packets of the call come from.
void Paths::read_addresses() {
    const auto add = [](Addresses& to, const IpAddress& address) { to.insert({.address = address, .port = 0}); };
    for (const End party : {End::caller, End::callee}) {
        const auto& source = party == End::caller ? facts_.call.caller_source : facts_.call.callee_source;
        if (!source) continue;
        add(seen_, source->address);
        add(signals_[static_cast<std::size_t>(party)], source->address);
    }
    for (const Request& one : facts_.call.requests) {
        add(seen_, one.source.address);
        if (one.status != 0) add(seen_, one.destination.address);
        if (one.contact) add(signals_[static_cast<std::size_t>(one.sender)], one.contact->address);
        for (const Response& response : one.responses) {
            if (response.contact) add(signals_[static_cast<std::size_t>(other(one.sender))], response.contact->address);
        }
    }
    for (const Translation& one : translations_) add(seen_, one.inside.address);
    for (const RtpStream& one : facts_.rtp) add(seen_, one.source.address);
}

bool Paths::is_private(const IpAddress& address) const {
    return facts_.networks.nated.contains(address) || facts_.networks.lan.contains(address);
}

bool Paths::outside_of_nat(const IpAddress& address) const {
    return std::ranges::any_of(translations_, [&](const Translation& one) { return one.outside.address == address; });
}

bool Paths::seen(const IpAddress& address) const {
    return seen_.contains({.address = address, .port = 0});
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
    std::vector<std::uint64_t> counts;
    counts.reserve(streams.size());
    for (const RtpStream* stream : streams) counts.push_back(stream->packets_in(from_ns, to_ns));
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < streams.size(); ++i) {
        const RtpStream& stream = *streams[i];
        const std::uint64_t packets = counts[i];
        std::size_t compared = 0;
        const auto has_them = [&](std::size_t j) {
            const RtpStream& another = *streams[j];
            if (another.ssrc != stream.ssrc || compared >= most_compared || (counts[j] + 1) * 5 < packets * 4)
                return false;
            if (another.source.port == stream.source.port && another.source == stream.source)
                return false;  // itself too
            ++compared;
            const std::uint64_t theirs =
                another.packets_in(std::max(from_ns, stream.first_ns), std::min(to_ns, stream.last_ns));
            return theirs * 5 >= packets * 4 && (theirs > packets || (theirs == packets && &another < &stream));
        };
        const bool again =
            packets > 0 && std::ranges::any_of(std::views::iota(std::size_t{0}, streams.size()), has_them);
        if (!again) all += packets;
    }
    return all;
}

}  // namespace natkit::diagnose
