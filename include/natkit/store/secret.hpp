#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "natkit/base/error.hpp"

namespace natkit::store {

using Secret = std::array<std::uint8_t, 32>;

/// The key kept at `path` (mode 0600), made with `random` at the first start. A file that is readable for others, or of
/// another size, is an error: nobody knows then who else has the key.
[[nodiscard]] Result<Secret> load_or_make_secret(const std::string& path,
                                                 const std::function<void(std::span<std::uint8_t>)>& random);

}  // namespace natkit::store
