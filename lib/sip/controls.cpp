#include "natkit/sip/controls.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

/// What needs a second look: line ends, and what may not be there. Every byte of every header section is looked up.
constexpr auto remarkable = [] {
    std::array<bool, 256> marked{};
    for (unsigned c = 0; c < 0x20; ++c) marked[c] = c != '\t';
    marked[0x7f] = true;
    return marked;
}();

/// Calls `found(position, Control)` for each.
template <class Found>
void each_control(std::string_view message, Found found) {
    std::size_t line = 1;
    std::size_t begin = std::min(message.find_first_not_of("\r\n"), message.size());
    for (std::size_t at = begin; at < message.size(); ++at) {
        const char c = message[at];
        if (!remarkable[static_cast<unsigned char>(c)]) continue;
        if (c == '\r' && at + 1 < message.size() && message[at + 1] == '\n') continue;
        if (c != '\n') {
            const bool escaped = c != '\r' && at > begin && message[at - 1] == '\\';
            found(at, Control{.line = line, .byte = c, .escaped = escaped});
            continue;
        }
        const std::size_t length = at - begin;
        if (length == 0 || (length == 1 && message[begin] == '\r')) return;  // the empty line
        begin = at + 1;
        ++line;
    }
}

void prefer_bare(std::optional<Control>& known, const Control& next) {
    if (!known || (known->escaped && !next.escaped)) known = next;
}

}  // namespace

std::string to_string(const Control& control) {
    if (control.byte == '\r') return "a CR without LF";
    return "control byte " + text::printable(std::string_view(&control.byte, 1));
}

std::optional<Control> find_control(std::string_view message) {
    std::optional<Control> first;
    each_control(message, [&](std::size_t, const Control& control) { prefer_bare(first, control); });
    return first;
}

std::optional<Control> blank_controls(std::string& message) {
    std::optional<Control> first;
    each_control(message, [&](std::size_t at, const Control& control) {
        prefer_bare(first, control);
        message[at] = ' ';
    });
    return first;
}

}  // namespace natkit::sip
