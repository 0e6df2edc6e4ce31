#pragma once

#include <chrono>
#include <optional>

#include "natkit/base/time.hpp"

namespace natkit::ng {

/// Whether a node has more to do than it has CPU for, by its busiest thread: one that has had something to do for more
/// than nine tenths of the time, for five seconds, is overloaded, and until it was below seven tenths for as long.
/// Pure.
class Overload {
  public:
    static constexpr double above = 0.9;
    static constexpr double below = 0.7;
    static constexpr std::chrono::seconds lasting{5};

    /// `busy`: what part of the time since the look before, 0 to 1. True: it is overloaded now and was not before, or
    /// the other way round.
    bool look(double busy, Instant now) noexcept;
    [[nodiscard]] bool overloaded() const noexcept { return overloaded_; }

  private:
    bool overloaded_ = false;
    std::optional<Instant> since_;  ///< it has been otherwise than it is said to be
};

}  // namespace natkit::ng
