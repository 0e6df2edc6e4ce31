#pragma once

#include <span>
#include <string_view>

namespace natkit::web {

/// A file of lib/engine/web/assets, as it was when this program was built.
struct Asset {
    std::string_view name;  ///< "app.js"
    std::string_view bytes;
};
[[nodiscard]] std::span<const Asset> assets() noexcept;

}  // namespace natkit::web
