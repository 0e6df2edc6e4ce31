#include "natkit/sip/message/controls.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

/// The top bit of each byte that is a control byte (HTAB and line ends too), the first byte lowest. Above the first one
/// there may be bits too many.
std::uint64_t controls_in(const char* eight) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101u;
    constexpr std::uint64_t tops = 0x80 * ones;
    std::uint64_t word = 0;
    std::memcpy(&word, eight, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = std::byteswap(word);
    const auto below = [](std::uint64_t bytes, std::uint64_t limit) { return (bytes - limit * ones) & ~bytes & tops; };
    return below(word, 0x20) | below(word ^ 0x7f * ones, 1);
}

constexpr bool is_control(char c) noexcept {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// The first control byte from `at` on, or the end. Every byte of every header section is looked at: eight at once.
std::size_t next_control(std::string_view message, std::size_t at) noexcept {
    for (; at + 8 <= message.size(); at += 8) {
        if (const std::uint64_t found = controls_in(message.data() + at); found != 0)
            return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
    while (at < message.size() && !is_control(message[at])) ++at;
    return at;
}

/// Calls `found(position, Control)` for each that may not be there.
template <class Found>
void each_control(std::string_view message, Found found) {
    std::size_t line = 1;
    std::size_t begin = std::min(message.find_first_not_of("\r\n"), message.size());
    for (std::size_t at = next_control(message, begin); at < message.size(); at = next_control(message, at + 1)) {
        const char c = message[at];
        if (c == '\t') continue;
        const std::size_t length = at - begin;
        if (c == '\r' && at + 1 < message.size() && message[at + 1] == '\n') {
            ++at;
        } else if (c != '\n') {
            const bool escaped = c != '\r' && at > begin && message[at - 1] == '\\';
            found(at, Control{.line = line, .byte = c, .escaped = escaped});
            continue;
        }
        if (length == 0) return;  // the empty line
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
