#include "natkit/ping/lease.hpp"

#include <algorithm>
#include <utility>

namespace natkit::ping {

void Lease::extend(Instant until) {
    until_ = std::max(until, until_.value_or(until));
}

bool Lease::may_ping(Instant now) {
    const bool stood_still = now - std::exchange(looked_, now) > longest_step;
    if (until_ && now < *until_) {
        without_since_.reset();
        return true;
    }
    if (stood_still || !without_since_) without_since_ = now;
    return now - *without_since_ >= patience;
}

}  // namespace natkit::ping
