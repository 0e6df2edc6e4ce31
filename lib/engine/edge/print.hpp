#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "natkit/base/hash.hpp"
#include "natkit/base/text.hpp"

namespace natkit::edge {

/// The branches of our Vias begin with this.
inline constexpr std::string_view branch_prefix = "z9hG4bKne";

/// A hash with one more text in it: of "ab", "c" another one than of "a", "bc". No secret, and not for tables that a
/// stranger fills: texts of the same hash can be found.
[[nodiscard]] inline std::uint64_t mixed(std::uint64_t hash, std::string_view text) noexcept {
    const auto mix = [&hash](std::uint64_t word) {
        hash = (hash ^ word) * natkit::hash::golden;
        hash ^= hash >> 32;
    };
    mix(text.size());
    while (!text.empty()) {
        std::uint64_t word = 0;
        const std::size_t count = text.copy(reinterpret_cast<char*>(&word), sizeof word);
        mix(word);
        text.remove_prefix(count);
    }
    return hash;
}

/// A number as sixteen hexadecimal digits.
[[nodiscard]] inline std::string print_text(std::uint64_t print) {
    return text::hex(print, 16);
}

/// print_text() backwards; 0: it is none.
[[nodiscard]] inline std::uint64_t print_number(std::string_view text) {
    std::uint64_t number = 0;
    if (text.size() != 16) return 0;
    for (const char digit : text) {
        const std::size_t value = text::hex_digits.find(digit);
        if (value == std::string_view::npos) return 0;
        number = number << 4 | value;
    }
    return number;
}

/// Whether a text may have come from print_text().
[[nodiscard]] inline bool is_print_text(std::string_view tag) {
    return tag.size() == 16 && tag.find_first_not_of(text::hex_digits) == std::string_view::npos;
}

/// The beginning of a keyed hash as such a number.
[[nodiscard]] inline std::uint64_t print_of(std::span<const std::uint8_t, 32> code) {
    std::uint64_t print = 0;
    for (const std::uint8_t byte : code.first<8>()) print = print << 8 | byte;
    return print;
}

}  // namespace natkit::edge
