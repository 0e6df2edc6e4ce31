#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "natkit/settings/value.hpp"

namespace natkit::settings {

/// What a TOML string in quotes of any kind says.
[[nodiscard]] std::optional<std::string> string_of(std::string_view token);

/// A value as TOML. A text has the quotes of `before`, the value in whose place it stands, where it can.
[[nodiscard]] std::string to_toml(const Value& value, std::string_view before = {});

}  // namespace natkit::settings
