#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "natkit/base/error.hpp"

namespace natkit {

/// Monotonic time. The core never reads a clock: it takes an Instant as an argument.
using Instant = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
using Duration = std::chrono::nanoseconds;

/// Time of day, for what must outlive the machine's uptime (registrations, dialogs).
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// "500ms", "25s", "10m", "2h": a whole number and one unit. At most 365 days.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The shortest text that parse_duration() reads back: "2h", "90s", "1500ms".
[[nodiscard]] std::string to_string(std::chrono::milliseconds duration);

}  // namespace natkit
