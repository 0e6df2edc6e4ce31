#include "natkit/proxy/forking.hpp"

#include <algorithm>
#include <array>

namespace natkit::proxy {
namespace {

int rank(int status) noexcept {
    constexpr std::array telling = {401, 407, 415, 420, 484};
    if (status >= 600) return 0;
    if (status == 408 || status == 503) return 9;
    if (std::ranges::find(telling, status) != telling.end()) return 3;
    return status / 100;  // 3xx: 3, 4xx: 4, 5xx: 5
}

}  // namespace

std::optional<std::size_t> best_response(std::span<const int> statuses) noexcept {
    const auto best = std::ranges::min_element(statuses, {}, rank);
    if (best == statuses.end()) return std::nullopt;
    return static_cast<std::size_t>(best - statuses.begin());
}

}  // namespace natkit::proxy
