#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "natkit/base/error.hpp"
#include "natkit/base/time.hpp"

namespace natkit::settings {

/// A change that is in effect and waits for a word of the session that made it.
struct Pending {
    unsigned version = 0;
    std::string by;   ///< the session; only the same text may confirm
    std::string who;  ///< its name for others
    WallTime until;   ///< then it is undone
    friend bool operator==(const Pending&, const Pending&) = default;
};

/// When a change stays and when it is undone: an operator who has cut off their own way to natkit cannot confirm. One
/// change at a time. Pure; the time is the time of day, since a change outlives the natkit that made it.
class Confirmation {
  public:
    static constexpr std::chrono::seconds limit{60};

    Confirmation() = default;
    /// With what an earlier natkit left.
    explicit Confirmation(std::optional<Pending> left) : pending_(std::move(left)) {}

    /// Whether a change may be made now. `refused`: another one waits.
    [[nodiscard]] Result<void> may_begin() const;
    /// It may be made, and has been.
    const Pending& begin(unsigned version, std::string by, std::string who, WallTime now);
    /// It stays. `not_found`: nothing waits; `refused`: another session's.
    [[nodiscard]] Result<Pending> confirm(const std::string& by, WallTime now);
    /// It is to be undone now. `not_found`: nothing waits.
    [[nodiscard]] Result<Pending> undo();
    /// The change whose time is over: it is to be undone.
    [[nodiscard]] std::optional<Pending> on_time(WallTime now);

    [[nodiscard]] const std::optional<Pending>& pending() const noexcept { return pending_; }
    /// Time that is left; never more than `limit`, also where the clock was put back.
    [[nodiscard]] std::chrono::milliseconds left(WallTime now) const;

  private:
    std::optional<Pending> pending_;
};

}  // namespace natkit::settings
