#pragma once

#include <array>
#include <cstdint>

#include "natkit/base/time.hpp"
#include "natkit/relay/latch.hpp"

namespace natkit::relay {

using LegKey = std::uint64_t;  ///< chosen by the caller, unique

/// What one component of one leg has seen.
struct Counters {
    std::uint64_t received_packets = 0;  ///< accepted from the party
    std::uint64_t received_bytes = 0;    ///< UDP payload
    std::uint64_t sent_packets = 0;      ///< to the party
    std::uint64_t sent_bytes = 0;
    std::array<std::uint64_t, drop_count> drops{};  ///< by Drop; of packets that came to this component
    Instant last_received{};                        ///< of the last accepted; the epoch when there was none

    [[nodiscard]] std::uint64_t dropped(Drop reason) const noexcept { return drops[static_cast<std::size_t>(reason)]; }
};

struct Timeouts {
    Duration silence = std::chrono::seconds(60);  ///< `timeout`: a joined stream without packets
    Duration hold = std::chrono::hours(2);        ///< `hold_timeout`: the same on hold; and a leg that nobody joins
    Duration unproven = std::chrono::seconds(5);  ///< `unproven_media`: how long an unproven endpoint is sent to

    friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

}  // namespace natkit::relay
