#include "natkit/base/display.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace natkit::text {
namespace {

/// RFC 3629 section 3: how many bytes follow the first one, what of it counts, and the least character of that length.
struct Form {
    std::size_t following = 0;
    char32_t bits = 0;
    char32_t least = 0;
};

Form form_of(std::uint8_t first) {
    if (first < 0x80) return {.following = 0, .bits = first, .least = 0};
    if (first >= 0xc2 && first < 0xe0) return {.following = 1, .bits = first & 0x1fU, .least = 0x80};
    if (first >= 0xe0 && first < 0xf0) return {.following = 2, .bits = first & 0x0fU, .least = 0x800};
    if (first >= 0xf0 && first < 0xf5) return {.following = 3, .bits = first & 0x07U, .least = 0x10000};
    return {.following = 0, .bits = replacement, .least = 0};
}

/// The character that the bytes begin with, taken from them.
char32_t take(std::string_view& bytes) {
    const Form form = form_of(static_cast<std::uint8_t>(bytes.front()));
    char32_t character = form.bits;
    bool whole = bytes.size() > form.following;
    for (std::size_t i = 1; whole && i <= form.following; ++i) {
        const auto byte = static_cast<std::uint8_t>(bytes[i]);
        whole = (byte & 0xc0U) == 0x80U;
        character = character << 6U | (byte & 0x3fU);
    }
    const bool surrogate = character >= 0xd800 && character < 0xe000;
    whole = whole && character >= form.least && character <= 0x10ffff && !surrogate;
    bytes.remove_prefix(whole ? form.following + 1 : 1);
    return whole ? character : replacement;
}

void append(std::string& bytes, char32_t character) {
    const auto add = [&](char32_t value) { bytes += static_cast<char>(static_cast<std::uint8_t>(value)); };
    const auto follow = [&](unsigned shift) { add(0x80U | (character >> shift & 0x3fU)); };
    if (character < 0x80) {
        add(character);
    } else if (character < 0x800) {
        add(0xc0U | character >> 6U);
        follow(0);
    } else if (character < 0x10000) {
        add(0xe0U | character >> 12U);
        follow(6);
        follow(0);
    } else {
        add(0xf0U | character >> 18U);
        follow(12);
        follow(6);
        follow(0);
    }
}

}  // namespace

std::u32string decoded(std::string_view utf8) {
    std::u32string characters;
    characters.reserve(utf8.size());
    while (!utf8.empty()) characters += take(utf8);
    return characters;
}

std::string encoded(std::u32string_view characters) {
    std::string bytes;
    bytes.reserve(characters.size());
    for (const char32_t character : characters) append(bytes, character);
    return bytes;
}

bool steers_terminal(char32_t character) noexcept {
    struct Range {
        char32_t first, last;
    };
    constexpr std::array ranges = {
        Range{.first = 0x00, .last = 0x1f},        // C0
        Range{.first = 0x7f, .last = 0x9f},        // DEL and C1
        Range{.first = 0xad, .last = 0xad},        // soft hyphen
        Range{.first = 0x61c, .last = 0x61c},      // Arabic letter mark
        Range{.first = 0x180e, .last = 0x180e},    // Mongolian vowel separator
        Range{.first = 0x200b, .last = 0x200f},    // zero width, left-to-right and right-to-left marks
        Range{.first = 0x2028, .last = 0x202e},    // line and paragraph separators, embeddings, overrides
        Range{.first = 0x2060, .last = 0x206f},    // word joiner, isolates
        Range{.first = 0xfe00, .last = 0xfe0f},    // variation selectors
        Range{.first = 0xfeff, .last = 0xfeff},    // byte order mark
        Range{.first = 0xfff9, .last = 0xfffb},    // interlinear annotation
        Range{.first = 0xe0000, .last = 0xe0fff},  // tags
    };
    return std::ranges::any_of(
        ranges, [character](const Range& range) { return character >= range.first && character <= range.last; });
}

std::string displayable(std::string_view utf8) {
    std::u32string characters = decoded(utf8);
    for (char32_t& character : characters) {
        if (steers_terminal(character)) character = U'?';
    }
    return encoded(characters);
}

}  // namespace natkit::text
