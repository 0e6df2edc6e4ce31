#pragma once

#include <optional>

#include "natkit/base/time.hpp"

namespace natkit::supervise {

/// When to start a dead worker again. The first restart comes at once; one that keeps dying young waits longer each
/// time, and after ten such deaths in a row it is given up. Pure.
class Restart {
  public:
    static constexpr Duration young = std::chrono::seconds(1);
    static constexpr Duration first_delay = std::chrono::milliseconds(20);
    static constexpr Duration longest_delay = std::chrono::seconds(5);
    static constexpr unsigned most_young_deaths = 10;

    /// The worker serves from now on.
    void on_ready(Instant now) noexcept { ready_at_ = now; }

    /// How long to wait before the next start; nothing: give up.
    [[nodiscard]] std::optional<Duration> on_death(Instant now) noexcept;

    /// Forgets the past: somebody asked for a new attempt.
    void reset() noexcept { *this = Restart(); }

  private:
    std::optional<Instant> ready_at_;
    unsigned young_deaths_ = 0;
};

}  // namespace natkit::supervise
