#include "natkit/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace natkit::text {
namespace {

/// Letters put in, left out or changed, and neighbours that changed places.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    const auto same = [](char x, char y) { return lower(x) == lower(y); };
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before.swap(last);
        last.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = last[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);
            row[j] = std::min({change, last[j] + 1, row[j - 1] + 1});
            const bool swapped = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
            if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
        }
    }
    return row[b.size()];
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
    if (word.size() > 64) return std::nullopt;
    std::optional<std::string_view> best;
    std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
    for (const std::string_view candidate : known) {
        // As far apart as their lengths at least.
        const std::size_t apart = std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size());
        if (apart >= best_distance) continue;
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

}  // namespace natkit::text
