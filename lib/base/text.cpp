#include "natkit/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace natkit::text {
namespace {

constexpr std::size_t longest_suggested = 64;  ///< letters of a word
constexpr std::size_t most_mistakes = 5;       ///< in a long one; with more it is another word

/// Letters put in, left out or changed, and neighbours that changed places; `limit`, where there are as many or more:
/// it does not look further. Words of at most `longest_suggested` letters.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
    const auto same = [](char x, char y) { return lower(x) == lower(y); };
    std::array<std::array<std::size_t, longest_suggested + 1>, 3> rows{};
    auto* before = &rows[0];
    auto* last = &rows[1];
    auto* row = &rows[2];
    for (std::size_t j = 0; j <= b.size(); ++j) (*row)[j] = std::min(j, limit);
    std::size_t last_least = 0;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::swap(before, last);
        std::swap(last, row);
        row->fill(limit);
        if (i < limit) (*row)[0] = i;
        std::size_t least = (*row)[0];
        // Further from the diagonal than that there are too many insertions.
        const std::size_t first = i > limit ? i - limit : 1;
        for (std::size_t j = first; j <= std::min(b.size(), i + limit); ++j) {
            const std::size_t change = (*last)[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);
            std::size_t steps = std::min({change, (*last)[j] + 1, (*row)[j - 1] + 1, limit});
            const bool swapped = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
            if (swapped) steps = std::min(steps, (*before)[j - 2] + 1);
            (*row)[j] = steps;
            least = std::min(least, steps);
        }
        if (least >= limit && last_least >= limit) return limit;
        last_least = least;
    }
    return (*row)[b.size()];
}

}  // namespace

std::string_view trim(std::string_view text) noexcept {
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

// Two searches for one byte each are faster than one for two.
std::size_t line_end(std::string_view text, std::size_t start) noexcept {
    const std::size_t feed = std::min(text.find('\n', start), text.size());
    return start >= feed ? feed : std::min(text.substr(0, feed).find('\r', start), feed);
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) { return lower(c); });
    return result;
}

bool iequals(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool istarts_with(std::string_view text, std::string_view prefix) noexcept {
    return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

std::optional<std::uint64_t> parse_number(std::string_view digits, std::uint64_t max) noexcept {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || value > max) {
        return std::nullopt;
    }
    return value;
}

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::uint8_t byte : bytes) text += {hex_digits[byte >> 4], hex_digits[byte & 15]};
    return text;
}

std::string hex(std::uint64_t number, std::size_t width) {
    std::string text(width, '0');
    for (std::size_t i = width; i-- > 0; number >>= 4) text[i] = hex_digits[number & 15];
    return text;
}

std::optional<std::uint64_t> parse_hex(std::string_view digits) noexcept {
    if (digits.empty() || digits.size() > 16) return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : digits) {
        const std::size_t digit = hex_digits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        number = number << 4 | digit;
    }
    return number;
}

std::string printable(std::string_view bytes, std::size_t limit) {
    std::string text;
    for (const char c : bytes.substr(0, limit)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte < 0x7f) {
            text += c;
        } else {
            text += {'\\', 'x', hex_digits[byte >> 4], hex_digits[byte & 15]};
        }
    }
    if (bytes.size() > limit) text += "…";
    return text;
}

std::optional<std::string_view> suggest(std::string_view word, std::span<const std::string_view> known) {
    if (word.size() > longest_suggested) return std::nullopt;
    std::optional<std::string_view> best;
    std::size_t best_distance = std::clamp<std::size_t>(word.size() / 3, 1, most_mistakes) + 1;
    for (const std::string_view candidate : known) {
        // As far apart as their lengths at least.
        const std::size_t apart = std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size());
        if (apart >= best_distance || candidate.size() > longest_suggested) continue;
        const std::size_t distance = edit_distance(word, candidate, best_distance);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace natkit::text
