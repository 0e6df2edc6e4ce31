#pragma once

#include <cstdint>

namespace natkit::cluster {

enum class Role : std::uint8_t {
    standby,  ///< holds what the active node would lose, and sends nothing
    active,
};

/// The exit status of a worker that became a standby: it is to be started again at once, with nothing of before.
inline constexpr int start_again = 75;

}  // namespace natkit::cluster
