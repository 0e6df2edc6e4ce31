#include "natkit/settings/confirmation.hpp"

#include <algorithm>
#include <utility>

namespace natkit::settings {
namespace {

std::unexpected<Error> nothing_waits() {
    return fail(Errc::not_found, "no change waits to be confirmed: it was confirmed or undone already");
}

}  // namespace

Result<void> Confirmation::may_begin() const {
    if (!pending_) return {};
    return fail(Errc::refused, "a change by " + pending_->who + " waits to be confirmed; confirm or undo it first");
}

const Pending& Confirmation::begin(unsigned version, std::string by, std::string who, WallTime now) {
    pending_ = Pending{.version = version, .by = std::move(by), .who = std::move(who), .until = now + limit};
    return *pending_;
}

Result<Pending> Confirmation::confirm(const std::string& by, WallTime now) {
    if (!pending_ || left(now) <= std::chrono::milliseconds::zero()) return nothing_waits();
    if (pending_->by != by) {
        return fail(Errc::refused, "the change is that of another session of " + pending_->who +
                                       "; only the session that made it confirms it");
    }
    return *std::exchange(pending_, std::nullopt);
}

Result<Pending> Confirmation::undo() {
    if (!pending_) return nothing_waits();
    return *std::exchange(pending_, std::nullopt);
}

std::optional<Pending> Confirmation::on_time(WallTime now) {
    if (!pending_ || left(now) > std::chrono::milliseconds::zero()) return std::nullopt;
    return std::exchange(pending_, std::nullopt);
}

std::chrono::milliseconds Confirmation::left(WallTime now) const {
    if (!pending_) return std::chrono::milliseconds::zero();
    return std::clamp(std::chrono::milliseconds(pending_->until - now), std::chrono::milliseconds::zero(),
                      std::chrono::milliseconds(limit));
}

}  // namespace natkit::settings
