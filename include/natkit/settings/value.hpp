#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace natkit::settings {

/// The value of a setting: of a switch, a number, a text, a list of texts.
using Value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;

/// What a list has: an item, with what is said behind it on its line; or a comment on a line of its own.
struct ListEntry {
    std::string item;                    ///< empty: a comment alone
    std::optional<std::string> comment;  ///< what follows ';' on the guide's pages and '#' in the file, blanks too
    friend bool operator==(const ListEntry&, const ListEntry&) = default;
};

/// A list as the guide's pages take it: entries apart by line or comma, `first-last` for a range, and a comment from a
/// semicolon to the end of the line.
[[nodiscard]] std::vector<ListEntry> read_guide_list(std::string_view text);
/// The same as a text, a line each: what is read of it again is the same where no item has what sets items apart.
[[nodiscard]] std::string guide_text(const std::vector<ListEntry>& entries);
[[nodiscard]] std::vector<std::string> items_of(const std::vector<ListEntry>& entries);

}  // namespace natkit::settings
