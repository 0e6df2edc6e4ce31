#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "natkit/diagnose/facts.hpp"

namespace natkit::diagnose {

enum class Cause : std::uint8_t;  ///< see table.hpp

struct Finding {
    Cause cause{};
    std::optional<End> hears_nothing;  ///< because of it
    std::string sentence;              ///< what is wrong, for people
    std::string change;                ///< what to set or to repair, and where
};

/// What the rules have found so far, in the order of the table: gravest first.
class Findings {
  public:
    /// The same cause for the same party is told once, however many streams it concerns.
    void add(Finding finding);
    [[nodiscard]] bool has(Cause cause) const;
    [[nodiscard]] std::span<const Finding> all() const noexcept { return all_; }
    [[nodiscard]] std::vector<Finding> take() { return std::exchange(all_, {}); }

  private:
    std::vector<Finding> all_;
};

}  // namespace natkit::diagnose
