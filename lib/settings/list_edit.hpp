#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace natkit::settings {

/// A TOML list of texts with other items: those that stay keep their bytes, their comments and their lines; new ones
/// are written as their neighbours are. What is said on lines of its own stays; a comment behind an item goes with it.
/// Nothing: this is no list of texts, or one too long to be compared.
[[nodiscard]] std::optional<std::string> edit_list(std::string_view list, const std::vector<std::string>& wanted);

}  // namespace natkit::settings
