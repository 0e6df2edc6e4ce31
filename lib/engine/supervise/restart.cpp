#include "restart.hpp"

#include <algorithm>

namespace natkit::supervise {

Duration Restart::on_death(Instant now) noexcept {
    const bool lived = ready_at_ && now - *ready_at_ >= young;
    ready_at_.reset();
    if (lived) {
        young_deaths_ = 0;
        return first_delay;
    }
    constexpr unsigned most_doublings = 16;  // more than lead to longest_delay
    const unsigned doublings = std::min(young_deaths_++, most_doublings);
    return std::min<Duration>(first_delay * (1U << doublings), longest_delay);
}

}  // namespace natkit::supervise
