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

/// Who hears nothing: one party, or both.
class Deaf {
  public:
    constexpr Deaf(End party) noexcept  // NOLINT(google-explicit-constructor): a party is one that may hear nothing
        : caller_(party == End::caller), callee_(party == End::callee) {}
    [[nodiscard]] static constexpr Deaf both() noexcept { return Deaf(End::caller) | End::callee; }
    [[nodiscard]] constexpr bool includes(End party) const noexcept { return party == End::caller ? caller_ : callee_; }
    [[nodiscard]] constexpr const char* word() const noexcept {
        return caller_ && callee_ ? "both" : caller_ ? "caller" : "callee";
    }
    friend constexpr Deaf operator|(Deaf a, Deaf b) noexcept {
        a.caller_ = a.caller_ || b.caller_;
        a.callee_ = a.callee_ || b.callee_;
        return a;
    }
    friend constexpr bool operator==(Deaf, Deaf) noexcept = default;

  private:
    bool caller_, callee_;
};

struct Finding {
    Cause cause{};
    std::optional<Deaf> hears_nothing = {};  ///< because of it
    std::string sentence;                    ///< what is wrong, for people
    std::string change;                      ///< what to set or to repair, and where
    Confidence confidence = Confidence::seen;
    std::optional<bool> harmless = {};             ///< other than its cause is by itself
    int status = 0;                                ///< of the one SIP response that is the cause
    std::vector<std::uint64_t> frames = {};        ///< of the evidence
    std::optional<double> from_s = {}, to_s = {};  ///< since the call began
    std::optional<Cause> follows_from = {};        ///< another finding of this call is the cause of this one
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
