#pragma once

#include <string>
#include <string_view>

namespace natkit::config {

/// A text as a TOML basic string.
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace natkit::config
