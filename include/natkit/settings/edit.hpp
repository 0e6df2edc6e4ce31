#pragma once

#include <string>
#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/settings/value.hpp"

namespace natkit::settings {

/// The text of a TOML file in which `key` of `section` ("media_proxy.addresses") has this value, and everything else is
/// byte for byte as it was. In place of a value there is: quotes, and lines and comments of a list, stay. A missing key
/// comes at the end of its section, a missing section at the end of the file. Where the key has the value already, the
/// text is what it was. `bad_config`: no TOML, or written in a way that cannot be changed. Pure and total.
[[nodiscard]] Result<std::string> set_value(std::string_view text, std::string_view section, std::string_view key,
                                            const Value& value);

/// The same with a list and its comments. Those that it has already keep their bytes and lines; in the file a comment
/// stands behind its item, or on a line of its own. `bad_input`: a comment that no TOML file can have.
[[nodiscard]] Result<std::string> set_list(std::string_view text, std::string_view section, std::string_view key,
                                           const std::vector<ListEntry>& entries);

/// The list that stands there with its comments. `not_found`: none. `bad_input`: it is none of texts, or cannot be said
/// as entries.
[[nodiscard]] Result<std::vector<ListEntry>> list_in(std::string_view text, std::string_view section,
                                                     std::string_view key);

/// The same without the key: its line goes, or its part of an inline table.
[[nodiscard]] Result<std::string> reset_value(std::string_view text, std::string_view section, std::string_view key);

/// The value that stands there. `not_found`: none. `bad_input`: it is not one of those that a Value holds.
[[nodiscard]] Result<Value> value_in(std::string_view text, std::string_view section, std::string_view key);

}  // namespace natkit::settings
