#include "natkit/sip/message/peek.hpp"

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

constexpr std::string_view version = "SIP/2.0";

/// Takes the first line off, without its end.
std::string_view take_line(std::string_view& text) noexcept {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

}  // namespace

bool looks_like_message(std::string_view text) noexcept {
    const std::string_view line = take_line(text);
    return line.starts_with(version) || line.ends_with(version);
}

std::string_view peek_call_id(std::string_view message) noexcept {
    (void)take_line(message);
    while (!message.empty()) {
        const std::string_view line = take_line(message);
        if (line.empty()) break;
        if ((line[0] | 0x20) != 'c' && (line[0] | 0x20) != 'i') continue;
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string_view name = text::trim(line.substr(0, colon));
        if (text::iequals(name, "call-id") || text::iequals(name, "i")) return text::trim(line.substr(colon + 1));
    }
    return {};
}

}  // namespace natkit::sip
