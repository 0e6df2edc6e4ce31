#pragma once

#include <string>
#include <string_view>

#include "natkit/base/error.hpp"

/// The files that a program appends lines to.
namespace natkit::log {

/// "stderr" and "journal" are standard error; else the file, made where it is not there (mode 0640). Never one that
/// another user has put in the way.
[[nodiscard]] Result<int> open_target(const std::string& target);

/// Whether all of it was written. A full disk or a closed terminal must not stop calls.
[[nodiscard]] bool write_all(int fd, std::string_view line);

}  // namespace natkit::log
