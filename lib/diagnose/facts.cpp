#include "natkit/diagnose/facts.hpp"

#include <algorithm>
#include <cmath>

namespace natkit::diagnose {
namespace {

/// The best of a party's newest descriptions: of one offer or answer seen on several hops, the first or the last hop.
/// What another branch of a fork said does not count once one has answered.
template <class Better>
const SessionDescription* pick(const Call& call, End writer, Better better) {
    const SessionDescription* best = nullptr;
    for (const SessionDescription& one : call.descriptions) {
        if (one.writer != writer || one.streams.empty()) continue;
        if (!call.callee_tag.empty() && !one.tag.empty() && one.tag != call.callee_tag) continue;
        const bool same = best != nullptr && one.cseq == best->cseq && one.request == best->request &&
                          one.method == best->method && one.tag == best->tag;
        if (!same || better(one, *best)) best = &one;
    }
    return best;
}

}  // namespace

const SessionDescription* Call::written(End party) const {
    // A request gathers Vias on its way; a response loses them.
    return pick(*this, party, [](const SessionDescription& one, const SessionDescription& best) {
        return one.request ? one.vias < best.vias : one.vias > best.vias;
    });
}

const SessionDescription* Call::delivered(End party) const {
    return pick(*this, party, [](const SessionDescription& one, const SessionDescription& best) {
        return one.request ? one.vias > best.vias : one.vias < best.vias;
    });
}

const Response* Request::final() const {
    const Response* last = nullptr;
    for (const Response& one : responses) {
        if (one.status >= 200) last = &one;
    }
    return last;
}

/// Without slots they are spread evenly.
std::uint64_t RtpStream::packets_in(std::int64_t from_ns, std::int64_t to_ns) const noexcept {
    const auto share = [&](std::int64_t first, std::int64_t last) {
        const std::int64_t both = std::min(last, to_ns) - std::max(first, from_ns);
        return last <= first ? (first >= from_ns && first <= to_ns ? 1.0 : 0.0)
                             : static_cast<double>(std::max<std::int64_t>(both, 0)) / static_cast<double>(last - first);
    };
    if (slots.empty()) return static_cast<std::uint64_t>(share(first_ns, last_ns) * static_cast<double>(distinct()));
    const auto slot_of = [&](std::int64_t time_ns) {
        return static_cast<std::size_t>(std::max<std::int64_t>(time_ns - first_ns, 0) / slot_ns);
    };
    if (to_ns < first_ns || from_ns > to_ns) return 0;
    double count = 0;
    const std::size_t end = std::min(slots.size(), slot_of(to_ns) + 1);
    std::size_t i = slot_of(from_ns);
    i -= i > 0 ? 1 : 0;
    for (; i < end; ++i) {
        const std::int64_t first = first_ns + static_cast<std::int64_t>(i) * slot_ns;
        if (slots[i] != 0) count += share(first, std::min(first + slot_ns, std::max(last_ns, first + 1))) * slots[i];
    }
    return static_cast<std::uint64_t>(std::llround(count));
}

std::optional<double> RtpStream::jitter_in(std::int64_t from_ns, std::int64_t to_ns) const noexcept {
    double sum = 0, count = 0;
    for (std::size_t i = 0; i < std::min(slots.size(), jitters.size()); ++i) {
        const std::int64_t first = first_ns + static_cast<std::int64_t>(i) * slot_ns;
        if (slots[i] == 0 || first + slot_ns <= from_ns || first >= to_ns) continue;
        sum += jitters[i] * static_cast<double>(slots[i]) / 10;
        count += slots[i];
    }
    return count == 0 ? std::nullopt : std::optional(sum / count);
}

bool Call::several_hops() const {
    const SessionDescription* first = written(End::caller);
    const SessionDescription* last = delivered(End::caller);
    return first != nullptr && first != last;
}

}  // namespace natkit::diagnose
