#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "natkit/base/time.hpp"
#include "schema.hpp"
#include "values.hpp"

/// What Section::value() reads the texts of several sections by.
namespace natkit::config {

inline constexpr std::string_view write_duration = "write a number and a unit, such as \"25s\", \"10m\" or \"2h\"";

/// A duration between two limits.
[[nodiscard]] inline auto duration_parser(Milliseconds min, Milliseconds max) {
    return [min, max](std::string_view text) -> Result<Milliseconds> {
        const auto duration = parse_duration(text);
        if (!duration) return fail(Errc::bad_config, "not a time: " + in_quotes(text));
        if (*duration < min || *duration > max) {
            return fail(Errc::bad_config,
                        "out of range (" + to_string(min) + " to " + to_string(max) + "): " + in_quotes(text));
        }
        return *duration;
    };
}

/// A path, made absolute.
[[nodiscard]] inline auto path_parser(const Paths& paths) {
    return [&paths](std::string_view text) -> Result<std::string> {
        if (text.find('\0') != std::string_view::npos) return fail(Errc::bad_config, "not a path: " + in_quotes(text));
        if (text.empty() || text.front() == '/' || paths.base_dir.empty()) return std::string(text);
        return paths.base_dir + (paths.base_dir.back() == '/' ? "" : "/") + std::string(text);
    };
}

/// As above, but there must be one.
[[nodiscard]] inline auto filled_path_parser(const Paths& paths) {
    return [&paths](std::string_view text) -> Result<std::string> {
        if (text.empty()) return fail(Errc::bad_config, "no path in ''");
        return path_parser(paths)(text);
    };
}

/// The name of a node of several, or nothing: visible characters, at most 64.
[[nodiscard]] inline Result<std::string> parse_node_name(std::string_view text) {
    const bool visible = std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    if (!visible || text.size() > 64 || text.find_first_of("\"\\") != std::string_view::npos)
        return fail(Errc::bad_config, "not a name: " + in_quotes(text));
    return std::string(text);
}
inline constexpr std::string_view write_node_name =
    "write up to 64 letters, digits, \"-\" and the like, or \"\" for the host's name";

}  // namespace natkit::config
