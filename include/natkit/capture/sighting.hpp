#pragma once

#include <cstdint>

namespace natkit::capture {

/// Which way a packet went, as the capturing machine says: Linux cooked captures, and the flags of pcapng.
enum class Direction : std::uint8_t { unknown, to_us, broadcast, multicast, to_other, from_us };

/// Where and when a packet was seen.
struct Sighting {
    std::uint64_t frame = 0;      ///< counted from 1 in each capture; the last of its fragments
    std::int64_t time_ns = 0;     ///< since 1970; 0 where the capture does not say
    std::uint32_t interface = 0;  ///< Linux cooked v2: the interface's index; else its number in the pcapng section
    std::uint16_t file = 0;       ///< of several captures read as one, in the order in which they were given
    Direction direction = Direction::unknown;
    std::uint8_t hops = 0;  ///< time to live, or hop limit, of the innermost IP header

    friend bool operator==(const Sighting&, const Sighting&) = default;
};

}  // namespace natkit::capture
