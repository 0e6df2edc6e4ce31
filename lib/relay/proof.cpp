#include "natkit/relay/proof.hpp"

#include <utility>

namespace natkit::relay {

void Proof::stop_clock(Instant now) noexcept {
    if (std::exchange(running_, false)) spent_ += now - since_;
}

void Proof::ask(bool unproven, bool other_endpoint, Instant now) noexcept {
    const bool before = needed_;
    if (!unproven) {
        needed_ = false;
    } else if (other_endpoint || !asked_) {
        needed_ = true;
    }
    asked_ = true;
    if (before && (!needed_ || other_endpoint)) stop_clock(now);
    if (!needed_ || other_endpoint) cut_ = false;
}

bool Proof::heard(Instant now) noexcept {
    if (!std::exchange(needed_, false)) return false;
    stop_clock(now);
    return true;
}

bool Proof::allows(Duration limit, Instant now) noexcept {
    if (!needed_) return true;
    if (!std::exchange(running_, true)) since_ = now;
    cut_ = spent_ + (now - since_) >= limit;
    return !cut_;
}

}  // namespace natkit::relay
