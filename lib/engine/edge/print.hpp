#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace natkit::edge {

/// The branches of our Vias begin with this.
inline constexpr std::string_view branch_prefix = "z9hG4bKne";

/// A number as sixteen hexadecimal digits.
[[nodiscard]] inline std::string print_text(std::uint64_t print) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (unsigned shift = 64; shift > 0; shift -= 4) text += digits[print >> (shift - 4) & 15];
    return text;
}

}  // namespace natkit::edge
