#include "natkit/sdp/body.hpp"

#include <algorithm>
#include <array>

#include "natkit/base/text.hpp"

namespace natkit::sdp {
namespace {

constexpr unsigned most_levels = 8;

struct Line {
    std::size_t start;
    std::size_t stop;  ///< without the line end
    std::size_t next;
};

Line line_at(std::string_view text, std::size_t start) {
    const std::size_t feed = std::min(text.find('\n', start), text.size());
    std::size_t stop = feed;
    if (stop > start && text[stop - 1] == '\r') --stop;
    return {.start = start, .stop = stop, .next = std::min(feed + 1, text.size())};
}

std::string media_type(std::string_view content_type) {
    return text::lower(text::trim(content_type.substr(0, content_type.find(';'))));
}

/// The boundary parameter, quoted or not.
std::string boundary_of(std::string_view content_type) {
    for (const std::string_view part : text::split(content_type, ';')) {
        const std::size_t equal = part.find('=');
        if (equal == std::string_view::npos || !text::iequals(text::trim(part.substr(0, equal)), "boundary")) continue;
        std::string_view value = text::trim(part.substr(equal + 1));
        if (value.starts_with('"')) value = value.substr(1, value.find('"', 1) - 1);
        return std::string(value);
    }
    return {};
}

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
            if (const std::string boundary = boundary_of(content_type); !boundary.empty()) parts(boundary, span, level);
        }
    }

  private:
    /// What is signed can be read, and matters only when a description, or what cannot be read, is in it.
    [[nodiscard]] bool hides_something(std::string_view content_type, const Span& span, unsigned level) const {
        const std::string boundary = boundary_of(content_type);
        if (boundary.empty() || level >= most_levels) return true;
        Bodies inside;
        Finder(body_, inside).parts(boundary, span, level);
        return !inside.descriptions.empty() || !inside.sealed.empty();
    }

    void parts(const std::string& boundary, const Span& span, unsigned level) {
        const std::string delimiter = "--" + boundary;
        const std::string_view text = body_.substr(0, span.end());
        std::optional<std::size_t> open;
        for (std::size_t at = span.offset; at < span.end();) {
            const Line line = line_at(text, at);
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

    void part(const Span& span, unsigned level) {
        std::string content_type = "text/plain";
        const std::string_view text = body_.substr(0, span.end());
        std::size_t at = span.offset;
        std::string* folded = nullptr;
        while (at < span.end()) {
            const Line line = line_at(text, at);
            at = line.next;
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
            if (text::iequals(name, "content-type") || text::iequals(name, "c")) {
                content_type = text::trim(words.substr(colon + 1));
                folded = &content_type;
            }
        }
        visit(content_type, {at, span.end() - at}, level + 1);
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
