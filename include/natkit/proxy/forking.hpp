#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace natkit::proxy {

/// Which final response a proxy passes back when all branches have failed (RFC 3261 section 16.7 step 6): any 6xx
/// first, then the lowest class; within 4xx those that tell the caller what to change (401, 407, 415, 420, 484) before
/// others, and 408 or 503 only when nothing else is there. Index into `statuses`; nothing when it is empty.
[[nodiscard]] std::optional<std::size_t> best_response(std::span<const int> statuses) noexcept;

}  // namespace natkit::proxy
