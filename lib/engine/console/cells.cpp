// Text in the columns of a terminal.
#include <clocale>
#include <cwchar>
#include <nlohmann/json.hpp>

#include "natkit/base/display.hpp"
#include "natkit/base/text.hpp"
#include "natkit/engine/console/show.hpp"

namespace natkit::console {
namespace {

/// wcwidth(3) by C.UTF-8, which every Debian has, whatever locale the process is in.
std::size_t columns_of(char32_t character) {
    if (character < 0x80) return 1;
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (utf8 == nullptr) return 1;
    const locale_t before = ::uselocale(utf8);
    const int width = ::wcwidth(static_cast<wchar_t>(character));
    ::uselocale(before);
    return width < 0 ? 1 : static_cast<std::size_t>(width);
}

}  // namespace

std::size_t width_of(std::string_view utf8) {
    std::size_t width = 0;
    for (const char32_t character : text::decoded(utf8)) width += columns_of(character);
    return width;
}

std::string fitted(std::string_view text, std::size_t width, Align align) {
    std::u32string shown;
    std::size_t columns = 0;
    std::u32string kept;  // what leaves room for "…"
    std::size_t kept_columns = 0;
    bool whole = true;
    for (const char32_t character : text::decoded(text::displayable(text))) {
        const std::size_t more = columns_of(character);
        if (columns + more > width) {
            whole = false;
            break;
        }
        shown += character;
        columns += more;
        if (columns < width) {
            kept = shown;
            kept_columns = columns;
        }
    }
    if (width == 0) return {};
    if (!whole) {
        shown = kept + U'…';
        columns = kept_columns + 1;
    }
    const std::string blanks(width - columns, ' ');
    return align == Align::right ? blanks + text::encoded(shown) : text::encoded(shown) + blanks;
}

std::string dump(const Json& value) {
    const std::string line = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    std::string safe;
    safe.reserve(line.size());
    for (const char32_t character : text::decoded(line)) {
        // Only in strings, where JSON has escapes for them: beyond the first plane two, as of UTF-16.
        if (!text::steers_terminal(character)) {
            safe += text::encoded({&character, 1});
        } else if (character < 0x10000) {
            safe += "\\u" + text::hex(character, 4);
        } else {
            const char32_t offset = character - 0x10000;
            safe += "\\u" + text::hex(0xd800 + (offset >> 10U), 4) + "\\u" + text::hex(0xdc00 + (offset & 0x3ffU), 4);
        }
    }
    return safe;
}

}  // namespace natkit::console
