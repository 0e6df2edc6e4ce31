#include "natkit/ng/framing.hpp"

#include <algorithm>

namespace natkit::ng {
namespace {

using State = FrameLength::State;

bool is_space(char byte) noexcept {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

bool is_digit(char byte) noexcept {
    return byte >= '0' && byte <= '9';
}

/// Whether a message without cookie begins here: JSON, or a first key with its length. A cookie may begin with a "d"
/// and digits too, as in hexadecimal, but no colon follows them.
bool begins_without_cookie(std::string_view text) noexcept {
    if (text.starts_with('{')) return true;
    if (!text.starts_with('d')) return false;
    const std::size_t after = text.find_first_not_of("0123456789", 1);
    return after != std::string_view::npos && after > 1 && text[after] == ':';
}

/// Whether a dictionary begins here, behind a cookie.
bool begins_dictionary(std::string_view text) noexcept {
    if (text.empty()) return false;
    if (text.front() == '{') return true;
    return text.front() == 'd' && text.size() > 1 && (is_digit(text[1]) || text[1] == 'e');
}

/// Where a bencoded value that begins at 0 ends.
FrameLength bencode_length(std::string_view text) noexcept {
    std::size_t depth = 0;
    std::size_t at = 0;
    do {
        if (at >= text.size()) return {State::incomplete};
        const char kind = text[at];
        if (kind == 'd' || kind == 'l') {
            ++depth;
            ++at;
        } else if (kind == 'e') {
            if (depth == 0) return {State::broken};
            --depth;
            ++at;
        } else if (kind == 'i') {
            const std::size_t end = text.find('e', at);
            if (end == std::string_view::npos) return {State::incomplete};
            at = end + 1;
        } else if (is_digit(kind)) {
            std::size_t length = 0;
            while (at < text.size() && is_digit(text[at])) {
                length = length * 10 + static_cast<std::size_t>(text[at++] - '0');
                if (length > max_message) return {State::broken};
            }
            if (at >= text.size()) return {State::incomplete};
            if (text[at] != ':') return {State::broken};
            at += 1 + length;
            if (at > text.size()) return {State::incomplete};
        } else {
            return {State::broken};
        }
    } while (depth > 0);
    return {State::complete, at};
}

/// Where a JSON object that begins at 0 ends.
FrameLength json_length(std::string_view text) noexcept {
    std::size_t depth = 0;
    bool quoted = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char byte = text[at];
        if (quoted) {
            if (byte == '\\') {
                ++at;
            } else if (byte == '"') {
                quoted = false;
            }
        } else if (byte == '"') {
            quoted = true;
        } else if (byte == '{' || byte == '[') {
            ++depth;
        } else if ((byte == '}' || byte == ']') && --depth == 0) {
            return {State::complete, at + 1};
        }
    }
    return {State::incomplete};
}

}  // namespace

bool read_frame(std::string_view message, Framed& framed) noexcept {
    framed = {};
    if (!begins_without_cookie(message)) {
        const std::size_t space = message.find(' ');
        if (space == std::string_view::npos) return false;
        framed.cookie = message.substr(0, space);
        message.remove_prefix(space + 1);
        if (framed.cookie.empty() || !begins_dictionary(message)) return false;
    }
    framed.body = message;
    framed.form = message.front() == '{' ? Form::json : Form::bencode;
    return true;
}

FrameLength frame_length(std::string_view stream) noexcept {
    const auto begin = static_cast<std::size_t>(std::ranges::find_if_not(stream, is_space) - stream.begin());
    const std::string_view message = stream.substr(begin);
    const FrameLength incomplete{message.size() > max_message ? State::broken : State::incomplete};
    std::size_t head = 0;
    if (!begins_without_cookie(message)) {
        // Of a first byte alone nobody can tell.
        const std::size_t space = message.find(' ');
        if (space == std::string_view::npos || space + 2 >= message.size()) return incomplete;
        head = space + 1;
        if (!begins_dictionary(message.substr(head))) return {State::broken};
    }
    const std::string_view body = message.substr(head);
    const FrameLength found = body.front() == '{' ? json_length(body) : bencode_length(body);
    if (found.state == State::incomplete) return incomplete;
    if (found.state == State::broken) return found;
    return {State::complete, begin + head + found.length};
}

FrameLength line_length(std::string_view stream) noexcept {
    const std::size_t end = stream.find('\n');
    if (end != std::string_view::npos) return {State::complete, end + 1};
    return {stream.size() > max_message ? State::broken : State::incomplete};
}

}  // namespace natkit::ng
