#include "natkit/engine/supervise/restart.hpp"

#include <algorithm>

namespace natkit::supervise {

std::optional<Duration> Restart::on_death(Instant now) noexcept {
    const bool lived = ready_at_ && now - *ready_at_ >= young;
    ready_at_.reset();
    if (lived) {
        young_deaths_ = 0;
        return first_delay;
    }
    if (++young_deaths_ >= most_young_deaths) return std::nullopt;
    return std::min<Duration>(first_delay * (1U << (young_deaths_ - 1)), longest_delay);
}

}  // namespace natkit::supervise
