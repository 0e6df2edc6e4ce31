#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "natkit/config/config.hpp"

namespace natkit::config {

/// A line of the users file: `user:realm:HA1`, where HA1 is the hexadecimal digest of `user:realm:password`, and may be
/// followed by `:md5` or `:sha-256`. What `htdigest` writes is of this form.
struct User {
    std::string name;
    std::string realm;
    std::string ha1;  ///< lower case
    bool sha256 = false;

    friend bool operator==(const User&, const User&) = default;
};

/// Empty lines and lines that begin with '#' are passed over. `where` of a problem is "name:line". Pure and total.
[[nodiscard]] std::expected<std::vector<User>, Problems> parse_users(std::string_view text, std::string_view name);

/// Reads a users file of at most 16 MB.
[[nodiscard]] std::expected<std::vector<User>, Problems> load_users(const std::string& path);

}  // namespace natkit::config
