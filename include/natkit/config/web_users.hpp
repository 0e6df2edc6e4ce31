#pragma once

#include <map>
#include <string>
#include <string_view>

#include "natkit/base/error.hpp"

namespace natkit::config {

/// The users of the pages, by name, each with what is kept of the password (crypto::PasswordRecord).
using WebUsers = std::map<std::string, std::string, std::less<>>;

/// A name of letters, digits, ".", "_", "-" and "@", at most 64 bytes.
[[nodiscard]] bool is_web_user_name(std::string_view name) noexcept;

/// Lines of `name:record`; empty ones and those that begin with '#' are passed over. `where` of a problem is
/// "name:line". Pure and total.
[[nodiscard]] Result<WebUsers> parse_web_users(std::string_view text, std::string_view name);

/// What parse_web_users() reads.
[[nodiscard]] std::string to_text(const WebUsers& users);

/// Reads a file of at most 1 MB; one that is not there has no users.
[[nodiscard]] Result<WebUsers> load_web_users(const std::string& path);

}  // namespace natkit::config
