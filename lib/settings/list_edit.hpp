#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/settings/value.hpp"

namespace natkit::settings {

/// A TOML list of texts with other items: those that stay keep their bytes, their comments and their lines; new ones
/// are written as their neighbours are. What is said on lines of its own stays; a comment behind an item goes with it.
/// Nothing: this is no list of texts, or one too long to be compared.
[[nodiscard]] std::optional<std::string> edit_list(std::string_view list, const std::vector<std::string>& wanted);

/// What a TOML list of texts says, its comments too. Nothing: this is no list of texts, or one that the guide's form
/// cannot say (an item with a comma in it, a comment before a comma).
[[nodiscard]] std::optional<std::vector<ListEntry>> entries_of(std::string_view list);

/// The list with these entries: as edit_list(), but the comments are the wanted ones, and no other. A list on one line
/// that is to have comments gets lines. `line_break`: of the file.
[[nodiscard]] std::optional<std::string> edit_entries(std::string_view list, const std::vector<ListEntry>& wanted,
                                                      std::string_view line_break);

}  // namespace natkit::settings
