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
    const std::string_view line = text.substr(0, std::min(text::line_end(text, 0), longest_start_line));
    if (line.size() >= 11 && text::istarts_with(line, "SIP/2.0 ")) {
        return std::ranges::all_of(line.substr(8, 3), [](char c) { return c >= '0' && c <= '9'; });
    }
    if (line.size() < 12 || !text::iequals(line.substr(line.size() - 8), " SIP/2.0")) return false;
    const std::size_t space = line.find(' ');
    return space > 0 && space < line.size() - 8 &&
           std::ranges::all_of(
               line.substr(0, space), [](char c) { return c > ' ' && c < 0x7f && c != ':' && c != '"' && c != '='; });
}

std::optional<std::size_t> message_length(std::string_view text, Follows follows) {
    const bool final = follows == Follows::nothing;
    const std::size_t header = header_end(text);
    if (header == std::string_view::npos) return final ? std::optional(text.size()) : std::nullopt;
    if (const auto length = content_length(text.substr(0, header))) {
        if (*length <= text.size() - header) {
            const std::string_view after = text.substr(header + *length);
            const std::size_t content = after.find_first_not_of("\r\n");
            if (content == std::string_view::npos) {
                if (follows == Follows::more) return std::nullopt;
                return header + *length;
            }
            if (starts_message(after.substr(content))) return header + *length;
        } else if (!final) {
            return std::nullopt;
        }
    }
    for (std::size_t feed = header - 1; feed != std::string_view::npos; feed = text.find('\n', feed + 1)) {
        if (starts_message(text.substr(feed + 1))) return feed + 1;
    }
    return final ? std::optional(text.size()) : std::nullopt;
}

std::optional<std::size_t> framed_length(std::string_view text) {
    const std::size_t header = header_end(text);
    if (header == std::string_view::npos) return std::nullopt;
    const std::size_t length = header + content_length(text.substr(0, header)).value_or(0);
    return length <= text.size() ? std::optional(length) : std::nullopt;
}

/// More bytes behind what is there; false at the end of the input.
Result<bool> LineReader::fill() {
    std::array<char, 16 * 1024> chunk;
    buffer_.erase(0, at_);
    searched_ -= std::min(searched_, at_);
    at_ = 0;
    const auto count = source_.read(chunk);
    if (!count) return std::unexpected(count.error());
    buffer_.append(chunk.data(), *count);
    return *count > 0;
}

Result<std::optional<Piece>> LineReader::next() {
    while (in_long_line_) {
        if (auto skipped = more_of_long_line(); !skipped) return std::unexpected(skipped.error());
    }
    for (;;) {
        const std::size_t feed = buffer_.find('\n', std::max(searched_, at_));
        if (feed != std::string::npos) {
            Piece piece{.line = line_++, .lead = {}, .content = buffer_.substr(at_, feed - at_), .tail = "\n"};
            at_ = searched_ = feed + 1;
            return piece;
        }
        searched_ = buffer_.size();
        if (buffer_.size() - at_ > longest_line) {
            in_long_line_ = true;
            return fail(Errc::exhausted, "a line longer than 4 MiB", source_.name() + ":" + std::to_string(line_++));
        }
        const auto more = fill();
        if (!more) return std::unexpected(more.error());
        if (*more) continue;
        if (buffer_.empty()) return std::nullopt;
        searched_ = 0;
        return Piece{.line = line_++, .lead = {}, .content = std::exchange(buffer_, {}), .tail = {}};
    }
}

Result<std::optional<std::string>> LineReader::more_of_long_line() {
    if (!in_long_line_) return std::nullopt;
    if (at_ == buffer_.size()) {
        const auto more = fill();
        if (!more) return std::unexpected(more.error());
        in_long_line_ = *more;
        if (!*more) return std::nullopt;
    }
    const std::size_t feed = buffer_.find('\n', at_);
    in_long_line_ = feed == std::string::npos;
    std::string piece = buffer_.substr(at_, in_long_line_ ? std::string::npos : feed + 1 - at_);
    at_ += piece.size();
    searched_ = at_;
    return piece;
}

Result<void> MessageReader::fill() {
    std::array<char, 64 * 1024> chunk;
    if (at_ > buffer_.size() / 2) {
        buffer_.erase(0, at_);
        at_ = 0;
    }
    const auto count = source_.read(chunk);
    if (!count) return std::unexpected(count.error());
    end_ = *count == 0;
    buffer_.append(chunk.data(), *count);
    return {};
}

/// Where the message that starts `lead` bytes from at_ ends; reads on until that is known.
Result<std::size_t> MessageReader::find_end(std::size_t lead) {
    for (std::size_t looked_at = 0;;) {
        const std::string_view text = rest().substr(lead);
        const Follows follows = end_ ? Follows::nothing : source_.ready() ? Follows::more : Follows::maybe;
        // Searched anew when it pays: the way through a message that grows byte by byte would be long.
        if (follows != Follows::more || text.size() >= looked_at + looked_at / 4) {
            if (const auto length = message_length(text, follows)) return *length;
            looked_at = text.size();
        }
        if (text.size() > longest_message) return text.size();
        if (auto ok = fill(); !ok) return std::unexpected(ok.error());
    }
}

Result<std::optional<Piece>> MessageReader::next() {
    std::size_t lead = 0;
    while ((lead = std::min(rest().find_first_not_of("\r\n"), rest().size())) == rest().size() && !end_ &&
           lead <= longest_message) {
        if (lead > 0 && !source_.ready()) break;  // pass them on meanwhile
        if (auto ok = fill(); !ok) return std::unexpected(ok.error());
    }
    if (rest().empty()) return std::nullopt;
    Piece piece{.line = line_, .lead = std::string(rest().substr(0, lead)), .content = {}, .tail = {}};
    piece.line += line_ends(piece.lead);
    if (lead < rest().size()) {
        const auto length = find_end(lead);
        if (!length) return std::unexpected(length.error());
        if (*length > longest_message) {
            return fail(Errc::exhausted, "a message longer than 1 MiB",
                        source_.name() + ":" + std::to_string(piece.line));
        }
        piece.content = rest().substr(lead, *length);
    }
    line_ = piece.line + line_ends(piece.content);
    at_ += lead + piece.content.size();
    return piece;
}

}  // namespace natkit::explain
