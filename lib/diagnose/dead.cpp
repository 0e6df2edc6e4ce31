#include <algorithm>

#include "natkit/diagnose/case.hpp"

/// When a direction was to be heard, and was not.
namespace natkit::diagnose {
namespace {

constexpr std::int64_t least_time = second_ns * 8 / 10;  ///< shorter than this nobody notices
constexpr std::int64_t settle = second_ns * 3 / 10;      ///< after an answer, until its media comes
constexpr std::int64_t least_stop = 8 * second_ns;       ///< a shorter silence may be one of people
constexpr std::uint64_t few_packets = 10;                ///< packets
constexpr std::uint64_t many_packets = 25;
constexpr std::int64_t flowing = 10;  ///< packets a second: somebody talks all the time

using Streams = std::vector<const RtpStream*>;

/// When the last packet of these passed, until a time; nothing: none did since `from_ns`.
std::optional<std::int64_t> last_packet(const Streams& streams, std::int64_t from_ns, std::int64_t to_ns,
                                        std::uint64_t* frame) {
    std::optional<std::int64_t> last;
    for (const RtpStream* stream : streams) {
        if (stream->first_ns > to_ns || stream->last_ns < from_ns) continue;
        std::int64_t end = std::min(stream->last_ns, to_ns);
        if (stream->last_ns > to_ns && !stream->slots.empty()) {
            auto slot = static_cast<std::size_t>((to_ns - stream->first_ns) / stream->slot_ns);
            slot = std::min(slot, stream->slots.size() - 1);
            while (slot > 0 && stream->slots[slot] == 0) --slot;
            end = std::min(end, stream->first_ns + static_cast<std::int64_t>(slot + 1) * stream->slot_ns);
        }
        if (end < from_ns || (last && *last >= end)) continue;
        last = end;
        if (frame != nullptr) *frame = stream->last_ns <= to_ns ? stream->last_frame : 0;
    }
    return last;
}

std::uint64_t emitted(const MediaDirection& direction, std::int64_t from_ns, std::int64_t to_ns) {
    return std::max(packets_of(direction.sent(), from_ns, to_ns), packets_of(direction.forwarded(), from_ns, to_ns));
}

/// Until when a stream that is refused now was not; nothing: it was from the beginning.
std::optional<std::int64_t> arrived_until(const Paths& paths, const MediaDirection& direction, const Phase& phase) {
    std::optional<std::int64_t> until;
    for (const Path* path : direction.paths) {
        if (paths.reach(*path, phase) != Reach::refused) continue;
        const std::int64_t since = paths.refused_since(*path->stream);
        const bool some = since > phase.from_ns + settle && since < phase.to_ns;
        if (some && path->stream->packets_in(phase.from_ns, since) >= many_packets)
            until = std::max(until.value_or(0), since);
    }
    return until;
}

/// Its receiver reports packets of it (RTCP): they arrive, whatever addresses look like. A relay may report for itself.
bool reported(const CallFacts& facts, const MediaDirection& direction) {
    constexpr unsigned nearly_all = 90;  // per cent
    const bool relay = direction.traffic.relayed || !direction.forwarded().empty();
    return !relay && std::ranges::any_of(facts.rtp, [&](const RtpStream& stream) {
        const bool about =
            std::ranges::find(direction.traffic.ssrcs, stream.reported_of) != direction.traffic.ssrcs.end();
        return about && stream.reported_highest != 0 && stream.reported_loss.value_or(nearly_all) < nearly_all;
    });
}

}  // namespace

/// The time that is longest.
void Case::find_dead(MediaDirection& direction, const MediaDirection& opposite) const {
    for (std::size_t i = 0; i < phases_.size(); ++i) {
        if (phases_[i].early || !direction.phases[i].meant) continue;
        auto dead = dead_in(direction, opposite, i);
        if (!dead) continue;
        for (std::size_t before = 0; before < i; ++before)
            dead->before = dead->before || direction.phases[before].arrived >= few_packets;
        if (!direction.dead || dead->to_ns - dead->from_ns > direction.dead->to_ns - direction.dead->from_ns)
            direction.dead = std::move(dead);
    }
    const bool from_start = direction.dead && direction.dead->phase == 0 && !direction.dead->before;
    if (from_start && direction.dead->sent && reported(facts_, direction)) direction.dead.reset();
}

std::optional<Dead> Case::dead_in(const MediaDirection& direction, const MediaDirection& opposite,
                                  std::size_t number) const {
    const Phase& phase = phases_[number];
    Streams arriving, answering;
    for (const Path* path : direction.paths) {
        if (paths_.reach(*path, phase) == Reach::arrives) arriving.push_back(path->stream);
    }
    for (const Path* path : opposite.paths) {
        if (paths_.reach(*path, phase) == Reach::arrives) answering.push_back(path->stream);
    }
    Dead dead{.phase = number, .from_ns = phase.from_ns, .to_ns = phase.to_ns};
    auto last = last_packet(arriving, phase.from_ns, phase.to_ns, &dead.last_frame);
    bool some = last && packets_of(arriving, phase.from_ns, phase.to_ns) >= 5;
    if (const auto until = arrived_until(paths_, direction, phase); until && (!some || *until > *last)) {
        last = until;
        some = true;
        dead.last_frame = 0;
    }
    if (some) dead.from_ns = *last;
    dead.before = some;
    const std::int64_t start = dead.from_ns + (some ? second_ns / 5 : number > 0 ? settle : 0);
    const bool short_time = phase.to_ns - dead.from_ns < least_time && phase.to_ns != phase.from_ns;
    if (short_time && (some || number > 0)) return std::nullopt;
    const std::int64_t from = number == 0 && !some ? phase.from_ns - second_ns * 60 : start;
    const std::int64_t to = &phase == &phases_.back() && !some ? phase.to_ns + second_ns * 60 : phase.to_ns;
    dead.packets = emitted(direction, from, to);
    dead.opposite = std::max(packets_of(answering, from, to), emitted(opposite, from, to));
    dead.sent = dead.packets >= (some ? many_packets : few_packets);
    if (dead.sent) {
        find_astray(direction, dead);
        return dead;
    }
    if (short_time) return std::nullopt;  // it may be about to begin
    if (dead.opposite < (number == 0 && !some ? few_packets : many_packets)) return std::nullopt;  // both are silent
    const std::int64_t time = dead.to_ns - dead.from_ns;
    const bool talks = static_cast<std::int64_t>(dead.opposite) > time / (second_ns / flowing);
    if (some && (time < least_stop || !talks)) return std::nullopt;
    return dead;
}

void Case::find_astray(const MediaDirection& direction, Dead& dead) const {
    const Phase& phase = phases_[dead.phase];
    const bool from_start = dead.phase == 0 && !dead.before;
    for (const Path* path : direction.paths) {
        const Reach reach = paths_.reach(*path, phase);
        const std::uint64_t packets =
            packets_of(std::vector{path->stream}, from_start ? phase.from_ns - 60 * second_ns : dead.from_ns,
                       dead.to_ns + (&phase == &phases_.back() ? 60 * second_ns : 0));
        if (packets > 0 && reach != Reach::arrives)
            dead.astray.push_back({.reach = reach, .path = path, .packets = packets});
    }
    std::ranges::stable_sort(dead.astray, std::greater(), &Astray::packets);
}

bool dead_since_described(const Case& one, const MediaDirection& direction) {
    if (!direction.dead || direction.dead->phase == 0) return false;
    const Phase& phase = one.phases()[direction.dead->phase];
    if (direction.dead->from_ns != phase.from_ns) return false;
    const MediaDescription* now = phase.written_by(direction.to, direction.line);
    const MediaDescription* before = one.phases()[direction.dead->phase - 1].written_by(direction.to, direction.line);
    return now != nullptr && before != nullptr && now->rtp != before->rtp;
}

}  // namespace natkit::diagnose
