#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace natkit::edge {

/// The branches of our Vias begin with this.
inline constexpr std::string_view branch_prefix = "z9hG4bKne";

/// A hash with one more text in it (FNV-1a): of "ab", "c" another one than of "a", "bc".
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t hash, std::string_view text) noexcept {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return (hash ^ 0xff) * 0x100000001b3U;
}

/// A number as sixteen hexadecimal digits.
[[nodiscard]] inline std::string print_text(std::uint64_t print) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (unsigned shift = 64; shift > 0; shift -= 4) text += digits[print >> (shift - 4) & 15];
    return text;
}

/// The beginning of a keyed hash as such a number.
[[nodiscard]] inline std::uint64_t print_of(std::span<const std::uint8_t, 32> code) {
    std::uint64_t print = 0;
    for (const std::uint8_t byte : code.first<8>()) print = print << 8 | byte;
    return print;
}

}  // namespace natkit::edge
