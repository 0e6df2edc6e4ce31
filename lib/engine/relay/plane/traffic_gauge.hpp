#pragma once

#include <mutex>

#include "natkit/relay/traffic.hpp"

namespace natkit::relay {

/// What the legs of one thread have relayed: that thread tells it each second, any thread may read it.
class TrafficGauge {
  public:
    struct Reading {
        Traffic total;
        std::uint64_t packets_a_second = 0;
    };

    void tell(const Traffic& total, Instant now) {
        const std::lock_guard lock(mutex_);
        meter_.tell(total, now);
    }
    [[nodiscard]] Reading read(Instant now) const {
        const std::lock_guard lock(mutex_);
        return {.total = meter_.total(), .packets_a_second = meter_.packets_a_second(now)};
    }

  private:
    mutable std::mutex mutex_;
    TrafficMeter meter_;
};

}  // namespace natkit::relay
