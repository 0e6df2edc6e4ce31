#pragma once

#include <cstddef>
#include <cstdint>

#include "natkit/relay/latch.hpp"

/// What the sessions of packets and of connections have in common in what they tell, and when.
namespace natkit::relay {

constexpr Duration sweep_every = std::chrono::seconds(1);
constexpr std::size_t max_events = 65536;

/// Of a mask of reasons that were told already.
constexpr std::uint32_t bit(Drop reason) noexcept {
    return 1U << static_cast<unsigned>(reason);
}

}  // namespace natkit::relay
