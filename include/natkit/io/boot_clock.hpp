#pragma once

#include <ctime>

#include "natkit/base/time.hpp"

namespace natkit::io {

/// Time since the host's start, which goes on while it sleeps (CLOCK_BOOTTIME): for what others may have decided
/// meanwhile. Not to be mixed with Loop::now(), which stands still then.
[[nodiscard]] inline Instant boot_now() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

}  // namespace natkit::io
