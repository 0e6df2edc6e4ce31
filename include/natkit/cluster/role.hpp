#pragma once

#include <cstdint>

namespace natkit::cluster {

enum class Role : std::uint8_t {
    standby,  ///< holds what the active node would lose, and sends nothing
    active,
};

}  // namespace natkit::cluster
