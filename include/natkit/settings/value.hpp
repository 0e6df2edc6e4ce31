#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace natkit::settings {

/// The value of a setting: of a switch, a number, a text, a list of texts.
using Value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

/// A list as the guide's pages take it: entries apart by line or comma, `first-last` for a range, and a comment from a
/// semicolon to the end of the line.
[[nodiscard]] std::vector<std::string> read_guide_list(std::string_view text);

}  // namespace natkit::settings
