#pragma once

#include <chrono>
#include <string>

#include "natkit/base/time.hpp"

namespace natkit::edge {

/// By what moments are kept that another node may have to read: its monotonic clock has another beginning.
struct HostClock {
    std::string boot;                   ///< this run of the host; empty: the node is alone, and reads what it wrote
    Instant steady{};                   ///< now
    WallTime wall{};                    ///< the host's time of day, now
    std::chrono::milliseconds ahead{};  ///< by which the other node's time of day is before ours
};

}  // namespace natkit::edge
