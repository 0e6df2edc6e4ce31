#pragma once

#include <cstddef>
#include <cstdint>

namespace natkit::dialog {

/// The two ends of a dialog: who sent its first INVITE, and who was called.
enum class End : std::uint8_t { caller = 0, callee = 1 };

/// Where that end's part stands in an array of both.
[[nodiscard]] constexpr std::size_t index(End end) noexcept {
    return static_cast<std::size_t>(end);
}
[[nodiscard]] constexpr End other(End end) noexcept {
    return end == End::caller ? End::callee : End::caller;
}

}  // namespace natkit::dialog
