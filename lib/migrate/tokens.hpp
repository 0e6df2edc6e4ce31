#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace natkit::migrate {

struct Token {
    enum class Kind : std::uint8_t {
        word,      ///< a name or number
        text,      ///< what stands between quotes, as it is written there
        variable,  ///< "$var(flags)"
        mark,      ///< a letter, or "=="
    };
    Kind kind{};
    std::string_view value;  ///< of the configuration
};

/// A configuration in pieces. All views are of its text.
struct Tokens {
    std::vector<Token> all;
    std::map<std::string_view, std::vector<Token>, std::less<>> defines;       ///< `#!define NAME VALUE`
    std::vector<std::pair<std::string_view, std::string_view>> substitutions;  ///< `#!subst` and its kin
    std::vector<std::string_view> includes;                                    ///< the files' names
};

/// Total and linear: a string, comment or bracket that has no end reaches to the end of the text, and a directive that
/// is not understood is a comment.
[[nodiscard]] Tokens read_tokens(std::string_view text);

/// The names of the variables in a string, and what stands between them: "a $var(x) b" is text, variable, text.
[[nodiscard]] std::vector<Token> read_string(std::string_view content);

}  // namespace natkit::migrate
