#include "natkit/engine/explain/html/markup.hpp"

#include <cstdint>

#include "natkit/base/text.hpp"

namespace natkit::html {
namespace {

/// How many bytes the character at the front has (RFC 3629), and which it is; 0: they are no UTF-8.
struct Character {
    std::size_t bytes = 0;
    std::uint32_t code = 0;
};

Character front_of(std::string_view text) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = at(0);
    if (first < 0x80) return {.bytes = 1, .code = first};
    const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
    std::uint32_t code = first & (0x7fU >> bytes);
    for (std::size_t i = 1; i < bytes; ++i) {
        if ((at(i) & 0xc0U) != 0x80) return {};
        code = code << 6U | (at(i) & 0x3fU);
    }
    const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    const bool outside = code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
    if (overlong || outside) return {};
    return {.bytes = bytes, .code = code};
}

/// Control characters, marks of direction, line and paragraph separators, and what is no character.
bool unfit(std::uint32_t code) {
    const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    const bool mark = code == 0x061c || (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                      (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
    const bool none = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffeU) == 0xfffe;
    return control || mark || none;
}

void add_hex(std::string& out, std::string_view bytes) {
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += {'\\', 'x', text::hex_digits[byte >> 4U], text::hex_digits[byte & 15U]};
    }
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Character one = front_of(text);
        const std::string_view bytes = text.substr(0, one.bytes == 0 ? 1 : one.bytes);
        text.remove_prefix(bytes.size());
        switch (bytes.front()) {
            case '&': out += "&amp;"; continue;
            case '<': out += "&lt;"; continue;
            case '>': out += "&gt;"; continue;
            case '"': out += "&quot;"; continue;
            case '\'': out += "&#39;"; continue;
            default: break;
        }
        if (one.bytes == 0 || unfit(one.code)) {
            add_hex(out, bytes);
        } else {
            out += bytes;
        }
    }
    return out;
}

std::string cut(std::string_view text, std::size_t characters) {
    std::size_t end = 0;
    for (std::size_t count = 0; end < text.size(); ++count) {
        if (count == characters) return std::string(text.substr(0, end)) + "…";
        const Character one = front_of(text.substr(end));
        end += one.bytes == 0 ? 1 : one.bytes;
    }
    return std::string(text);
}

void Markup::add(std::string_view text) {
    if (text.size() <= longest_text) {
        bytes_ += escaped(text);
        return;
    }
    std::size_t end = 0;  // a character that begins within the limit is whole
    while (end < longest_text) {
        const Character one = front_of(text.substr(end));
        end += one.bytes == 0 ? 1 : one.bytes;
    }
    bytes_ += escaped(text.substr(0, end)) + "…";
}

void Markup::take_until_place(std::string_view& rest) {
    const std::size_t place = rest.find("{}");
    bytes_ += rest.substr(0, place);
    rest.remove_prefix(place + 2);
}

}  // namespace natkit::html
