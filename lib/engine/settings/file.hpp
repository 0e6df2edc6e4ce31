#pragma once

#include <string>

#include "natkit/base/error.hpp"

namespace natkit::settings {

/// The bytes of a file of at most 4 MiB.
[[nodiscard]] Result<std::string> read_file(const std::string& path);

/// Why replace_file() could not work, in words; empty: it can.
[[nodiscard]] std::string why_not_replaceable(const std::string& path);

/// Puts a file in the place of another one by a rename, on the disk before it is seen: with the mode, the owner and the
/// group of the old one (0600 where there is none). Of a symbolic link, what it points at is replaced.
[[nodiscard]] Result<void> replace_file(const std::string& path, const std::string& text);

}  // namespace natkit::settings
