#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace natkit::settings {

/// What two sequences have in common, as pairs of positions in both, in order: as many as can be, unless what is left
/// between a common beginning and a common end is longer than some thousand elements.
[[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> in_common(const std::vector<std::string_view>& before,
                                                                         const std::vector<std::string_view>& after);

/// The unified difference of two texts, three lines around each change; empty where they are the same.
[[nodiscard]] std::string line_diff(std::string_view before, std::string_view after, std::string_view before_name,
                                    std::string_view after_name);

}  // namespace natkit::settings
