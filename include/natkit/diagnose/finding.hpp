#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "natkit/diagnose/facts.hpp"

namespace natkit::diagnose {

enum class Cause : std::uint8_t;  ///< see table.hpp

/// How sure a finding is.
enum class Confidence : std::uint8_t {
    seen,      ///< it is in the capture
    inferred,  ///< from what is in the capture
    possible,  ///< one of several things it may be
};

[[nodiscard]] constexpr const char* to_string(Confidence confidence) noexcept {
    return confidence == Confidence::seen ? "seen" : confidence == Confidence::inferred ? "inferred" : "possible";
}

struct Finding {
    Cause cause{};
    std::optional<End> hears_nothing = {};  ///< because of it
    std::string sentence;                   ///< what is wrong, for people
    std::string change;                     ///< what to set or to repair, and where
    Confidence confidence = Confidence::seen;
    std::optional<bool> harmless = {};             ///< other than its cause is by itself
    int status = 0;                                ///< of the one SIP response that is the cause
    std::vector<std::uint64_t> frames = {};        ///< of the evidence
    std::optional<double> from_s = {}, to_s = {};  ///< since the call began
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
