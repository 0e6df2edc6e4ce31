#include "natkit/relay/probation.hpp"

#include <algorithm>

namespace natkit::relay {

Probation::Candidate* Probation::place_for(const Endpoint& source, std::uint32_t ssrc, bool signalled_port, bool holder,
                                           Instant now) noexcept {
    for (Candidate& each : candidates_) {
        if (each.in_sequence > 0 && each.ssrc == ssrc && each.source == source) return &each;
    }
    const auto first = candidates_.begin() + (signalled_port ? 0 : 1);
    const auto free = std::find_if(first, candidates_.end(), [&](const Candidate& each) {
        return each.in_sequence == 0 || now - each.heard >= candidate_time;
    });
    Candidate* place = free != candidates_.end() ? &*free : nullptr;
    if (place == nullptr && holder) {
        place = &*std::min_element(first, candidates_.end(),
                                   [](const Candidate& a, const Candidate& b) { return a.heard < b.heard; });
    }
    if (place != nullptr) *place = {.source = source, .ssrc = ssrc};
    return place;
}

bool Probation::count(const Endpoint& source, const StreamMark& mark, Standing standing, bool holder,
                      Instant now) noexcept {
    Candidate* place = place_for(source, mark.ssrc, standing == Standing::signalled_rtp, holder, now);
    if (place == nullptr) return false;
    const bool next =
        place->in_sequence > 0 && static_cast<std::uint16_t>(place->sequence + 1) == mark.sequence.value_or(0);
    // RFC 3550 appendix A.1: a packet out of sequence is the first of a new run.
    place->in_sequence =
        next ? static_cast<std::uint8_t>(std::min<int>(place->in_sequence + 1, probation_packets)) : std::uint8_t{1};
    place->sequence = mark.sequence.value_or(0);
    place->standing = standing;
    place->heard = now;
    return place->in_sequence >= probation_packets;
}

bool Probation::outranked(Standing standing, Instant now) const noexcept {
    return std::any_of(candidates_.begin(), candidates_.end(), [&](const Candidate& each) {
        return each.in_sequence > 0 && each.standing > standing && now - each.heard < candidate_time;
    });
}

}  // namespace natkit::relay
