#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// natkit's answers as text for people.
namespace natkit_tool {

using Json = nlohmann::ordered_json;

/// "a.b" of an object as text; "-" where it is missing.
[[nodiscard]] std::string text_of(const Json& object, const char* key);
/// Filled with blanks, or cut to `width` columns (of UTF-8 text) with "…"; control bytes become "?".
[[nodiscard]] std::string fitted(const std::string& text, std::size_t width);

/// Each as lines without their newlines.
[[nodiscard]] std::vector<std::string> status_lines(const Json& status);
/// Whether the streams of calls that tell them have a line each.
enum class Streams : std::uint8_t { left_out, told };
/// A head, then two lines each: what it is, and why it is treated so.
[[nodiscard]] std::vector<std::string> call_lines(const Json& calls, Streams streams);
[[nodiscard]] std::vector<std::string> client_lines(const Json& clients);
[[nodiscard]] std::vector<std::string> preview_lines(const Json& preview);

}  // namespace natkit_tool
