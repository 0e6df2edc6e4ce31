#include "natkit/engine/explain/input.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t longest_line = 4 * 1024 * 1024;
constexpr std::size_t longest_message = 1024 * 1024;
constexpr std::size_t longest_start_line = 4096;

bool is_capture(std::string_view head) {
    using namespace std::string_view_literals;
    constexpr std::array magics = {"\xd4\xc3\xb2\xa1"sv, "\xa1\xb2\xc3\xd4"sv, "\x4d\x3c\xb2\xa1"sv,
                                   "\xa1\xb2\x3c\x4d"sv, "\x34\xcd\xb2\xa1"sv, "\xa1\xb2\xcd\x34"sv,
                                   "\x0a\x0d\x0d\x0a"sv};
    return std::ranges::any_of(magics, [&](std::string_view magic) { return head.starts_with(magic); });
}

/// End of the header part, blank line included; npos when there is none.
std::size_t header_end(std::string_view text) {
    for (std::size_t feed = text.find('\n'); feed != std::string_view::npos; feed = text.find('\n', feed + 1)) {
        const std::string_view next = text.substr(feed + 1, 2);
        if (next.starts_with('\n')) return feed + 2;
        if (next == "\r\n") return feed + 3;
    }
    return std::string_view::npos;
}

std::optional<std::size_t> content_length(std::string_view header) {
    for (std::string_view line : text::split(header, '\n')) {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string_view name = text::trim(line.substr(0, colon));
        if (!text::iequals(name, "content-length") && !text::iequals(name, "l")) continue;
        if (const auto value = text::parse_number(text::trim(line.substr(colon + 1)), longest_message)) {
            return static_cast<std::size_t>(*value);
        }
    }
    return std::nullopt;
}

std::size_t line_ends(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

InputKind recognise(std::string_view head) noexcept {
    if (is_capture(head)) return InputKind::capture;
    head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
    if (head.empty()) return InputKind::empty;
    if (head.front() == '{') return InputKind::json;
    if (head.starts_with("v=")) return InputKind::sdp;
    return InputKind::sip;
}

bool starts_message(std::string_view text) noexcept {
    const std::string_view line = text.substr(0, std::min(text.find_first_of("\r\n"), longest_start_line));
    if (line.size() >= 11 && text::istarts_with(line, "SIP/2.0 ")) {
        return std::ranges::all_of(line.substr(8, 3), [](char c) { return c >= '0' && c <= '9'; });
    }
    if (line.size() < 12 || !text::iequals(line.substr(line.size() - 8), " SIP/2.0")) return false;
    const std::size_t space = line.find(' ');
    return space > 0 && space < line.size() - 8 &&
           std::ranges::all_of(
               line.substr(0, space), [](char c) { return c > ' ' && c < 0x7f && c != ':' && c != '"' && c != '='; });
}

std::size_t message_length(std::string_view text, bool final) {
    const std::size_t header = header_end(text);
    if (header == std::string_view::npos) return text.size();
    if (const auto length = content_length(text.substr(0, header)); length && *length <= text.size() - header) {
        const std::string_view after = text.substr(header + *length);
        const std::size_t content = after.find_first_not_of("\r\n");
        if (content == std::string_view::npos ? final : starts_message(after.substr(content))) {
            return header + *length;
        }
    }
    for (std::size_t feed = header - 1; feed != std::string_view::npos; feed = text.find('\n', feed + 1)) {
        if (starts_message(text.substr(feed + 1))) return feed + 1;
    }
    return text.size();
}

std::optional<std::size_t> framed_length(std::string_view text) {
    const std::size_t header = header_end(text);
    if (header == std::string_view::npos) return std::nullopt;
    const std::size_t length = header + content_length(text.substr(0, header)).value_or(0);
    return length <= text.size() ? std::optional(length) : std::nullopt;
}

Result<std::optional<Piece>> LineReader::next() {
    std::array<char, 16 * 1024> chunk;
    for (;;) {
        const std::size_t feed = buffer_.find('\n', searched_);
        if (feed != std::string::npos) {
            Piece piece{.line = line_++, .lead = {}, .content = buffer_.substr(0, feed), .tail = "\n"};
            buffer_.erase(0, feed + 1);
            searched_ = 0;
            return piece;
        }
        searched_ = buffer_.size();
        if (buffer_.size() > longest_line) {
            return fail(Errc::exhausted, "a line longer than 4 MiB", source_.name() + ":" + std::to_string(line_));
        }
        const auto count = source_.read(chunk);
        if (!count) return std::unexpected(count.error());
        if (*count > 0) {
            buffer_.append(chunk.data(), *count);
            continue;
        }
        if (buffer_.empty()) return std::nullopt;
        searched_ = 0;
        return Piece{.line = line_++, .lead = {}, .content = std::exchange(buffer_, {}), .tail = {}};
    }
}

Result<void> MessageReader::fill() {
    std::array<char, 64 * 1024> chunk;
    while (!end_ && buffer_.size() <= longest_message) {
        const auto count = source_.read(chunk);
        if (!count) return std::unexpected(count.error());
        end_ = *count == 0;
        buffer_.append(chunk.data(), *count);
    }
    return {};
}

Result<std::optional<Piece>> MessageReader::next() {
    if (auto ok = fill(); !ok) return std::unexpected(ok.error());
    if (buffer_.empty()) return std::nullopt;
    const std::size_t lead = std::min(buffer_.find_first_not_of("\r\n"), buffer_.size());
    Piece piece{.line = line_, .lead = buffer_.substr(0, lead), .content = {}, .tail = {}};
    piece.line += line_ends(piece.lead);
    const std::string_view rest = std::string_view(buffer_).substr(lead);
    const std::size_t length = message_length(rest, end_);
    if (length > longest_message) {
        return fail(Errc::exhausted, "a message longer than 1 MiB", source_.name() + ":" + std::to_string(piece.line));
    }
    piece.content = rest.substr(0, length);
    line_ = piece.line + line_ends(piece.content);
    buffer_.erase(0, lead + length);
    return piece;
}

}  // namespace natkit::explain
