#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "natkit/diagnose/facts.hpp"

namespace natkit::diagnose {

/// The time for which one pair of descriptions holds: from an answer (RFC 3264) that changes something to the next, or
/// to the end of the call.
struct Phase {
    std::int64_t from_ns = 0, to_ns = 0;
    std::uint64_t frame = 0;        ///< of the answer
    std::uint64_t offer_frame = 0;  ///< 0: not in the capture
    End offerer{};
    bool early = false;             ///< before the call was answered
    bool second_answer = false;     ///< begun by one that differs from the first answer to the same offer in one dialog
    std::optional<End> moved = {};  ///< no answer begins it: packets of this party come from elsewhere from now on
    std::uint64_t moved_frame = 0;  ///< the first one
    /// By whose media they describe: as that party wrote it, and as the other one got it. Null: not in the capture.
    std::array<const SessionDescription*, 2> written{}, delivered{};

    [[nodiscard]] const MediaDescription* written_by(End party, std::size_t line) const;
    [[nodiscard]] const MediaDescription* delivered_of(End party, std::size_t line) const;
};

/// In their order; none before the first answer. Points into the call.
[[nodiscard]] std::vector<Phase> phases_of(const Call& call, std::int64_t end_ns);

}  // namespace natkit::diagnose
