#pragma once

#include <chrono>

namespace natkit::ng {

/// An offer that nobody answers: longer than any proxy lets a phone ring (RFC 3261 section 16.6, timer C).
inline constexpr std::chrono::minutes unanswered_offer_time{10};
/// A call with a deadline is looked at as often, so that what is remembered of calls that are long gone stays little.
inline constexpr std::chrono::seconds looking_time{32};

}  // namespace natkit::ng
