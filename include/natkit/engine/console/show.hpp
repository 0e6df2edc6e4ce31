#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

/// natkit's answers for people: as text, and as a live view on a terminal.
namespace natkit::console {

using Json = nlohmann::ordered_json;

/// "a.b" of an object as text; "-" where it is missing.
[[nodiscard]] std::string text_of(const Json& object, const char* key);
/// An object's or a list's own; null where it is missing.
[[nodiscard]] const Json& member(const Json& object, const char* key);

/// How many columns of a terminal the text takes: two for most letters of Chinese, Japanese and Korean, none for what
/// is set above another letter.
[[nodiscard]] std::size_t width_of(std::string_view utf8);
enum class Align : std::uint8_t { left, right };
/// Filled with blanks, or cut to `width` columns with "…"; text::displayable().
[[nodiscard]] std::string fitted(std::string_view text, std::size_t width, Align align = Align::left);

/// JSON as one line, in which what steers a terminal is escaped too: the same value to who reads it.
[[nodiscard]] std::string dump(const Json& value);

/// Each as lines without their newlines, text::displayable().
[[nodiscard]] std::vector<std::string> status_lines(const Json& status);
/// What a node of a cluster is and how far others are with it; nothing of one that is alone.
[[nodiscard]] std::vector<std::string> cluster_lines(const Json& cluster);
/// Whether the streams of calls that tell them have a line each.
enum class Streams : std::uint8_t { left_out, told };
/// A head, then two lines each: what it is, and why it is treated so.
[[nodiscard]] std::vector<std::string> call_lines(const Json& calls, Streams streams);
[[nodiscard]] std::vector<std::string> client_lines(const Json& clients);
[[nodiscard]] std::vector<std::string> preview_lines(const Json& preview);
/// Why a call is relayed or not, and where both ends are, in words.
[[nodiscard]] std::string reasons_of(const Json& call);
/// "0.4 %" of the packets that should have come; empty where nothing is known.
[[nodiscard]] std::string loss_of(const Json& call);
/// "12.3 ms", the worst direction's; empty where nothing is known.
[[nodiscard]] std::string jitter_of(const Json& call);
/// "1:02:03"
[[nodiscard]] std::string clock_of(std::int64_t seconds);

}  // namespace natkit::console
