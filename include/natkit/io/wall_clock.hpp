#pragma once

#include <chrono>

#include "natkit/base/time.hpp"

namespace natkit::io {

/// The host's time of day, in whole milliseconds; it may jump.
[[nodiscard]] inline WallTime wall_now() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace natkit::io
