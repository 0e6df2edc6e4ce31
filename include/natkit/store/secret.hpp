#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "natkit/base/error.hpp"
#include "natkit/base/time.hpp"

namespace natkit::store {

using Secret = std::array<std::uint8_t, 32>;

/// The key kept at `path` (mode 0600), made with `random` at the first start. A file that is readable for others, or of
/// another size, is an error: nobody knows then who else has the key.
[[nodiscard]] Result<Secret> load_or_make_secret(const std::string& path,
                                                 const std::function<void(std::span<std::uint8_t>)>& random);

/// Since when the key at `path` is used as it is by this version; nothing where no older one ever used it. Kept beside
/// the key, in a file of its own. To be called before the key is made: that it is there already, and this file is not,
/// is how an upgrade shows.
[[nodiscard]] std::optional<WallTime> used_since(const std::string& path, WallTime now);

/// What used_since() adds to the path of the key.
inline constexpr const char* since_suffix = ".since";

}  // namespace natkit::store
