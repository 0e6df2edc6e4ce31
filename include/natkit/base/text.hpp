#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Small things done with ASCII text. Nothing here depends on a locale.
namespace natkit::text {

[[nodiscard]] std::string_view trim(std::string_view text) noexcept;  ///< spaces, tabs, CR, LF at both ends
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// Where the first CR or LF from `start` on is; the text's length where there is none.
[[nodiscard]] std::size_t line_end(std::string_view text, std::size_t start) noexcept;

[[nodiscard]] char lower(char c) noexcept;
[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] bool iequals(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] bool istarts_with(std::string_view text, std::string_view prefix) noexcept;

/// Decimal digits only, at most `max`; nothing for anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view digits, std::uint64_t max) noexcept;

inline constexpr std::string_view hex_digits = "0123456789abcdef";
/// Two of them for each byte.
[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);
/// The last `width` digits of the number, with zeros before it.
[[nodiscard]] std::string hex(std::uint64_t number, std::size_t width);
/// At most 16 digits, as hex() writes them: nothing for capital letters, or no digit.
[[nodiscard]] std::optional<std::uint64_t> parse_hex(std::string_view digits) noexcept;

/// Untrusted bytes for a log or a message: control and non-ASCII bytes as \xHH, cut at `limit` bytes with "…".
[[nodiscard]] std::string printable(std::string_view bytes, std::size_t limit = 200);

/// The known word that is nearest to a misspelt one, if any is near enough to be worth suggesting.
[[nodiscard]] std::optional<std::string_view> suggest(std::string_view word, std::span<const std::string_view> known);

}  // namespace natkit::text
