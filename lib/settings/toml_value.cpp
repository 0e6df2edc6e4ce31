#include "toml_value.hpp"

#include <algorithm>

#include "../config/toml.hpp"
#include "natkit/base/text.hpp"
#include "natkit/config/quote.hpp"

namespace natkit::settings {
namespace {

std::string quoted(const std::string& text, bool literal) {
    const bool fits = std::ranges::none_of(
        text, [](char c) { return c == '\'' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    return literal && fits ? "'" + text + "'" : config::quote(text);
}

}  // namespace

std::optional<std::string> string_of(std::string_view token) {
    try {
        const toml::table table = toml::parse("v = " + std::string(token));
        if (table.size() != 1) return std::nullopt;
        return table["v"].value_exact<std::string>();
    } catch (const toml::parse_error&) {
        return std::nullopt;
    }
}

std::string to_toml(const Value& value, std::string_view before) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text, before.starts_with('\''));
    std::string list = "[";
    for (const std::string& item : std::get<std::vector<std::string>>(value)) {
        if (list.size() > 1) list += ", ";
        list += quoted(item, before.starts_with("['"));
    }
    return list + "]";
}

}  // namespace natkit::settings
