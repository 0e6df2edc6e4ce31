#include "natkit/sip/message/framing.hpp"

#include <algorithm>
#include <optional>

#include "natkit/base/text.hpp"
#include "natkit/sip/message/controls.hpp"

namespace natkit::sip {
namespace {

std::unexpected<Error> refused(std::string why) {
    return fail(Errc::bad_input, "not a SIP stream: " + std::move(why));
}

/// The size of the header with the empty line that ends it, or nothing as long as that has not come. Lines may end in
/// a bare LF, as in datagrams.
std::optional<std::size_t> header_end(std::string_view bytes, std::size_t from) {
    for (std::size_t at = from > 3 ? from - 3 : 0; (at = bytes.find('\n', at)) != std::string_view::npos; ++at) {
        if (at + 1 < bytes.size() && bytes[at + 1] == '\n') return at + 2;
        if (at + 2 < bytes.size() && bytes[at + 1] == '\r' && bytes[at + 2] == '\n') return at + 3;
    }
    return std::nullopt;
}

bool is_sip_line(std::string_view line) {
    return line.starts_with("SIP/2.0 ") || text::trim(line).ends_with(" SIP/2.0");
}

/// The value of the one Content-Length among the lines of a header; continuation lines belong to the line before.
Result<std::size_t> content_length(std::string_view header) {
    std::optional<std::string> value;
    bool inside = false;
    while (!header.empty()) {
        const std::size_t end = std::min(header.find('\n'), header.size() - 1);
        const std::string_view line = header.substr(0, end + 1);
        header.remove_prefix(end + 1);
        if (line.front() == ' ' || line.front() == '\t') {
            if (inside) *value += line;
            continue;
        }
        const std::size_t colon = line.find(':');
        const std::string_view name = text::trim(line.substr(0, std::min(colon, line.size())));
        inside = colon != std::string_view::npos && (text::iequals(name, "Content-Length") || text::iequals(name, "l"));
        if (!inside) continue;
        if (value) return refused("two Content-Length");
        value = std::string(line.substr(colon + 1));
    }
    if (!value) return refused("no Content-Length");
    const auto number = text::parse_number(text::trim(*value), Framer::max_body);
    if (!number) return refused("Content-Length '" + text::printable(text::trim(*value), 40) + "'");
    return static_cast<std::size_t>(*number);
}

}  // namespace

void Framer::skip_line_ends(std::vector<Framed>& out) {
    std::size_t at = 0;
    for (; at < input_.size(); ++at) {
        const char c = input_[at];
        if (c == '\r') {
            carriage_return_ = true;
            continue;
        }
        if (c != '\n') break;
        if (std::exchange(carriage_return_, false) && ++line_ends_ == 2) {
            out.push_back({.kind = Framed::Kind::ping, .bytes = {}});
            line_ends_ = 0;
        }
    }
    input_.erase(0, at);
    if (!input_.empty()) {
        line_ends_ = 0;
        carriage_return_ = false;
    }
}

Result<bool> Framer::take_message(std::vector<Framed>& out) {
    if (message_ == 0) {
        const auto end = header_end(input_, scanned_);
        const std::size_t line = input_.find('\n');
        if (line != std::string::npos && scanned_ <= line && !is_sip_line(std::string_view(input_).substr(0, line))) {
            return refused("'" + text::printable(std::string_view(input_).substr(0, line), 60) + "'");
        }
        if (end.value_or(input_.size()) > max_header) return refused("a header of more than 16 kB");
        scanned_ = input_.size();
        if (!end) return false;
        if (const auto control = find_control(std::string_view(input_).substr(0, *end))) {
            out.push_back({.kind = Framed::Kind::message, .bytes = input_.substr(0, *end)});
            return refused(to_string(*control) + " in a header section");
        }
        const auto length = content_length(std::string_view(input_).substr(0, *end));
        if (!length) return std::unexpected(length.error());
        message_ = *end + *length;
    }
    if (input_.size() < message_) return false;
    out.push_back({.kind = Framed::Kind::message, .bytes = input_.substr(0, message_)});
    input_.erase(0, message_);
    message_ = scanned_ = 0;
    return true;
}

Result<void> Framer::feed(std::string_view bytes, std::vector<Framed>& out) {
    input_ += bytes;
    for (;;) {
        if (message_ == 0 && scanned_ == 0) skip_line_ends(out);
        if (input_.empty()) break;
        const auto taken = take_message(out);
        if (!taken) return std::unexpected(taken.error());
        if (!*taken) break;
    }
    if (input_.empty()) input_.shrink_to_fit();
    return {};
}

}  // namespace natkit::sip
