#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/settings/value.hpp"

namespace natkit::settings {

/// One setting of the table that is to have another value.
struct Change {
    std::string section;
    std::string key;
    std::optional<Value> value;  ///< none: its default, the key goes
    bool comments = false;       ///< of a list that is one text: its comments take the place of those in the file
    friend bool operator==(const Change&, const Change&) = default;
};

/// The text of a natkit.toml with these changes. `bad_input`: a setting that is not in the table, or a value that is
/// not of its kind; `bad_config`: the file cannot be changed so.
[[nodiscard]] Result<std::string> with_changes(std::string_view text, std::span<const Change> changes);

/// In few words what makes one text of the table's settings the other: "network.nat_servers, pinger.method".
[[nodiscard]] std::string summary(std::string_view before, std::string_view after);

}  // namespace natkit::settings
