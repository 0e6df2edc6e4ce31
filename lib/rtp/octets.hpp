#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Numbers as they lie in packets. Who asks for them has looked that they are there.
namespace natkit::rtp {

[[nodiscard]] inline std::uint16_t read16(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

[[nodiscard]] inline std::uint32_t read32(std::span<const std::uint8_t> bytes, std::size_t at) noexcept {
    return static_cast<std::uint32_t>(read16(bytes, at)) << 16 | read16(bytes, at + 2);
}

}  // namespace natkit::rtp
