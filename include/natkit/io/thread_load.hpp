#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "natkit/base/time.hpp"

namespace natkit::io {

/// How busy the threads of this process are: a thread that runs, or waits for a CPU to run on, has something to do.
class ThreadLoad {
  public:
    /// What part of the time since the call before, 0 to 1, the busiest thread had something to do. Nothing: at the
    /// first call, or where the kernel does not tell (/proc/self/task/*/schedstat).
    [[nodiscard]] std::optional<double> busiest(Instant now);

  private:
    std::map<std::string, std::uint64_t> before_;  ///< nanoseconds by thread
    Instant last_{};
};

}  // namespace natkit::io
