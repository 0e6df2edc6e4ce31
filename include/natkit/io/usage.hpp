#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "natkit/base/time.hpp"

namespace natkit::io {

/// What a process has taken of the machine.
struct Usage {
    Duration cpu{};                  ///< of all its threads, in user and system mode, since it began
    std::uint64_t memory_bytes = 0;  ///< resident
};

/// Nothing where /proc does not show that process; 0: this one.
[[nodiscard]] std::optional<Usage> usage_of(pid_t pid = 0);

}  // namespace natkit::io
