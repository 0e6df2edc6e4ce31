#include "natkit/sdp/body.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::sdp {
namespace {

constexpr unsigned most_levels = 8;

struct TextLine {
    std::size_t start;
    std::size_t stop;  ///< without the line end
    std::size_t next;
};

TextLine line_at(std::string_view text, std::size_t start) {
    const std::size_t feed = std::min(text.find('\n', start), text.size());
    std::size_t stop = feed;
    if (stop > start && text[stop - 1] == '\r') --stop;
    return {.start = start, .stop = stop, .next = std::min(feed + 1, text.size())};
}

std::string media_type(std::string_view content_type) {
    return text::lower(text::trim(content_type.substr(0, content_type.find(';'))));
}

/// One parameter from the front, which goes away with its semicolon. One in a quoted string separates nothing (RFC 2045
/// section 5.1).
std::string_view take_parameter(std::string_view& rest) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < rest.size() && (quoted || rest[end] != ';'); ++end) {
        if (quoted && rest[end] == '\\')
            ++end;
        else if (rest[end] == '"')
            quoted = !quoted;
    }
    end = std::min(end, rest.size());
    const std::string_view parameter = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return parameter;
}

std::string unquoted(std::string_view value) {
    if (!value.starts_with('"')) return std::string(value);
    std::string text;
    for (std::size_t i = 1; i < value.size() && value[i] != '"'; ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        text += value[i];
    }
    return text;
}

/// The boundary parameter, quoted or not; empty: none. Nothing: two that differ, of which readers take the one or the
/// other.
std::optional<std::string> boundary_of(std::string_view content_type) {
    std::string boundary;
    bool found = false;
    while (!content_type.empty()) {
        const std::string_view parameter = take_parameter(content_type);
        const std::size_t equal = parameter.find('=');
        if (equal == std::string_view::npos || !text::iequals(text::trim(parameter.substr(0, equal)), "boundary"))
            continue;
        std::string value = unquoted(text::trim(parameter.substr(equal + 1)));
        if (std::exchange(found, true) && value != boundary) return std::nullopt;
        boundary = std::move(value);
    }
    return boundary;
}

/// What a part's header says of it.
struct PartHeader {
    std::string content_type = "text/plain";
    unsigned types = 0;  ///< how often it says so
    std::string encoding;
    std::size_t end = 0;  ///< where its content begins
};

class Finder {
  public:
    Finder(std::string_view body, Bodies& found) : body_(body), found_(found) {}

    void visit(std::string_view content_type, const Span& span, unsigned level) {
        constexpr std::array<std::string_view, 5> sealed = {"multipart/signed", "multipart/encrypted",
                                                            "application/pkcs7-mime", "application/x-pkcs7-mime",
                                                            "application/pgp-encrypted"};
        const std::string type = media_type(content_type);
        if (type == "application/sdp") {
            found_.descriptions.push_back(span);
        } else if (std::ranges::find(sealed, type) != sealed.end()) {
            if (type != "multipart/signed" || hides_something(content_type, span, level))
                found_.sealed.push_back({.offset = span.offset, .type = type});
        } else if (type.starts_with("multipart/") && level < most_levels) {
            const auto boundary = boundary_of(content_type);
            if (!boundary) found_.sealed.push_back({.offset = span.offset, .type = type + " with two boundaries"});
            if (boundary && !boundary->empty()) parts(*boundary, span, level);
        }
    }

  private:
    /// What is signed can be read, and matters only when a description, or what cannot be read, is in it.
    [[nodiscard]] bool hides_something(std::string_view content_type, const Span& span, unsigned level) const {
        const auto boundary = boundary_of(content_type);
        if (!boundary || boundary->empty() || level >= most_levels) return true;
        Bodies inside;
        Finder(body_, inside).parts(*boundary, span, level);
        return !inside.descriptions.empty() || !inside.sealed.empty();
    }

    void parts(const std::string& boundary, const Span& span, unsigned level) {
        const std::string delimiter = "--" + boundary;
        const std::string_view text = body_.substr(0, span.end());
        std::optional<std::size_t> open;
        for (std::size_t at = span.offset; at < span.end();) {
            const TextLine line = line_at(text, at);
            const std::string_view words = text.substr(line.start, line.stop - line.start);
            if (words.starts_with(delimiter)) {
                const std::string_view tail = text::trim(words.substr(delimiter.size()));
                if (tail.empty() || tail == "--") {
                    if (open) part({*open, end_before(text, *open, line.start) - *open}, level);
                    open = line.next;
                    if (tail == "--") return;
                }
            }
            at = line.next;
        }
        if (open) part({*open, span.end() - *open}, level);  // the closing delimiter is missing
    }

    /// The line end before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
    static std::size_t end_before(std::string_view text, std::size_t from, std::size_t delimiter) {
        std::size_t end = delimiter;
        if (end > from && text[end - 1] == '\n') --end;
        if (end > from && text[end - 1] == '\r') --end;
        return end;
    }

    /// A part that says twice what it is, or whose text is not what it means, is read by nobody in the same way.
    void part(const Span& span, unsigned level) {
        const PartHeader header = header_of(span);
        const Span content{header.end, span.end() - header.end};
        constexpr std::array<std::string_view, 4> plain = {"", "7bit", "8bit", "binary"};
        const bool encoded = std::ranges::find(plain, header.encoding) == plain.end();
        if ((encoded && media_type(header.content_type) == "application/sdp") || header.types > 1) {
            found_.sealed.push_back({.offset = content.offset,
                                     .type = header.types > 1 ? std::string("two types at once")
                                                              : "application/sdp in " + header.encoding});
            return;
        }
        visit(header.content_type, content, level + 1);
    }

    [[nodiscard]] PartHeader header_of(const Span& span) const {
        PartHeader header;
        const std::string_view text = body_.substr(0, span.end());
        std::string* folded = nullptr;
        header.end = span.offset;
        while (header.end < span.end()) {
            const TextLine line = line_at(text, header.end);
            header.end = line.next;
            const std::string_view words = text.substr(line.start, line.stop - line.start);
            if (words.empty()) break;
            if (words.front() == ' ' || words.front() == '\t') {
                if (folded != nullptr) folded->append(words);
                continue;
            }
            folded = nullptr;
            const std::size_t colon = words.find(':');
            if (colon == std::string_view::npos) continue;
            const std::string_view name = text::trim(words.substr(0, colon));
            const std::string_view value = text::trim(words.substr(colon + 1));
            if (text::iequals(name, "content-type") || text::iequals(name, "c")) {
                ++header.types;
                header.content_type = value;
                folded = &header.content_type;
            } else if (text::iequals(name, "content-transfer-encoding")) {
                header.encoding = text::lower(value);
            }
        }
        return header;
    }

    std::string_view body_;
    Bodies& found_;
};

}  // namespace

Bodies find_descriptions(std::string_view content_type, std::string_view body) {
    Bodies found;
    Finder(body, found).visit(content_type, {0, body.size()}, 0);
    return found;
}

}  // namespace natkit::sdp
