#pragma once

#include <string>
#include <string_view>

/// Text of others on a terminal: names, user agents and reasons are what a stranger has sent.
namespace natkit::text {

inline constexpr char32_t replacement = U'\xfffd';

/// The characters of UTF-8; a byte that belongs to none is one `replacement`.
[[nodiscard]] std::u32string decoded(std::string_view utf8);
[[nodiscard]] std::string encoded(std::u32string_view characters);

/// Whether a terminal may take the character for an order, or show others in another order because of it: C0, DEL and
/// C1 (ECMA-48), line and paragraph separators, direction marks and overrides (UAX #9), characters without a shape.
[[nodiscard]] bool steers_terminal(char32_t character) noexcept;

/// The text with "?" for each character that steers a terminal, and `replacement` for each byte that is no UTF-8.
[[nodiscard]] std::string displayable(std::string_view utf8);

}  // namespace natkit::text
