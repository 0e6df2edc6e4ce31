#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"

/// The settings of natkit.toml that are changed from elsewhere than an editor.
namespace natkit::settings {

/// Bytes of a text, `end` not included.
struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;

    [[nodiscard]] std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
    friend bool operator==(const Span&, const Span&) = default;
};

/// "media_proxy", "addresses", "lan"
using Path = std::vector<std::string>;

/// "[section]", alone on its line.
struct Header {
    Path path;
    std::size_t line_end = 0;  ///< where its line ends, before the line break
    friend bool operator==(const Header&, const Header&) = default;
};

/// "key = value", on a line of its own or inside an inline table.
struct Statement {
    static constexpr std::size_t top = static_cast<std::size_t>(-1);

    Path path;                 ///< whole: of its header, of the inline tables around it, and its own
    std::size_t own = 0;       ///< how many of the last parts of `path` its key wrote: two in "addresses.lan = …"
    std::size_t header = top;  ///< which of the headers it stands below; top: none
    bool in_line = false;      ///< inside an inline table
    Span key;
    Span value;
    friend bool operator==(const Statement&, const Statement&) = default;
};

/// Where everything of a TOML text stands.
struct Layout {
    std::vector<Header> headers;
    std::vector<Statement> statements;  ///< an inline table before what is in it
};

/// Reads the places, not the values: a text that is no TOML may be taken. Total; `where` of an error is the line.
[[nodiscard]] Result<Layout> lay_out(std::string_view text);

/// Of what is inside the brackets of a list: each item; nothing for what is no list.
struct ListItems {
    std::vector<Span> items;
    std::vector<Span> commas;  ///< after the item of the same number; the last one may have none
};
[[nodiscard]] Result<ListItems> list_items(std::string_view list);

}  // namespace natkit::settings
