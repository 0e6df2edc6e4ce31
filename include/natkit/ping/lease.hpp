#pragma once

#include <optional>

#include "natkit/base/time.hpp"

namespace natkit::ping {

/// Whether this node's clients are still its own to be pinged, among several active edges (natkit-cluster(7)): another
/// node has them once this one's lease is over. So one that stood still for long pings nobody until it hears of a
/// lease that goes on. Pure: the time is an argument, of a clock that goes on while the host sleeps
/// (CLOCK_BOOTTIME).
class Lease {
  public:
    /// Whoever renews the lease is gone if nothing is heard of it for so long: then it pings again.
    static constexpr Duration patience = std::chrono::seconds(10);
    /// It looks at the clock each second; one that comes later than this stood still.
    static constexpr Duration longest_step = std::chrono::seconds(2);

    /// It begins without a lease: nobody knows how long nothing ran before it.
    explicit Lease(Instant now) : looked_(now), without_since_(now) {}

    /// The lease is known to last until then.
    void extend(Instant until);
    /// Each second, and before each ping.
    [[nodiscard]] bool may_ping(Instant now);

  private:
    std::optional<Instant> until_;
    Instant looked_;
    std::optional<Instant> without_since_;  ///< it has run since then without a lease
};

}  // namespace natkit::ping
