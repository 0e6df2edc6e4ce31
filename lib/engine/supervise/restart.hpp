#pragma once

#include <optional>

#include "natkit/base/time.hpp"

namespace natkit::supervise {

/// When to start a dead worker again. The first restart comes at once; one that keeps dying young waits longer each
/// time, up to a minute, and is never given up: a disk gets room, a file is put right, and nobody is there to say so.
/// Pure.
class Restart {
  public:
    static constexpr Duration young = std::chrono::seconds(1);
    static constexpr Duration first_delay = std::chrono::milliseconds(20);
    static constexpr Duration longest_delay = std::chrono::seconds(60);
    static constexpr unsigned many_young_deaths = 10;

    /// The worker serves from now on.
    void on_ready(Instant now) noexcept { ready_at_ = now; }

    /// How long to wait before the next start.
    [[nodiscard]] Duration on_death(Instant now) noexcept;

    /// How often in a row it died within a second of serving, or without ever serving.
    [[nodiscard]] unsigned young_deaths() const noexcept { return young_deaths_; }

    /// Forgets the past: somebody asked for a new attempt.
    void reset() noexcept { *this = Restart(); }

  private:
    std::optional<Instant> ready_at_;
    unsigned young_deaths_ = 0;
};

}  // namespace natkit::supervise
