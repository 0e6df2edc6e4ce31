// Reads the lines of a session description into a Document: natkit/sdp/document.hpp.
#include <algorithm>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/sdp/document.hpp"

namespace natkit::sdp {
namespace {

std::vector<Line> split_lines(std::string_view text) {
    std::vector<Line> lines;
    std::size_t start = 0;
    while (start < text.size()) {
        const std::size_t stop = text::line_end(text, start);
        std::size_t next = stop;
        if (next < text.size()) next += text.substr(next, 2) == "\r\n" ? 2 : 1;
        Line line{.type = 0, .value = {start, stop - start}, .whole = {start, next - start}};
        const char letter = text[start];
        if (stop - start >= 2 && text[start + 1] == '=' &&
            ((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z'))) {
            line.type = letter;
            line.value = {start + 2, stop - start - 2};
        }
        lines.push_back(line);
        start = next;
    }
    return lines;
}

/// Cuts words off the front of a line, remembering where they stand.
class Words {
  public:
    Words(std::string_view text, const Span& span) : text_(text), at_(span.offset), end_(span.end()) {}

    Span next() {
        while (at_ < end_ && blank(text_[at_])) ++at_;
        const std::size_t start = at_;
        while (at_ < end_ && !blank(text_[at_])) ++at_;
        return {start, at_ - start};
    }
    [[nodiscard]] Span rest() {
        while (at_ < end_ && blank(text_[at_])) ++at_;
        return {at_, end_ - at_};
    }

  private:
    static bool blank(char c) { return c == ' ' || c == '\t'; }

    std::string_view text_;
    std::size_t at_;
    std::size_t end_;
};

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_family(std::string_view word) {
    return word == "IP4" || word == "IP6";
}

}  // namespace

/// Reads the lines one after the other into the document.
struct Document::Reader {
    Document& doc;
    std::string_view text;
    std::size_t line = 0;
    Media* media = nullptr;  ///< the section the line belongs to; null: the session part
    Direction session_direction = Direction::sendrecv;
    std::optional<Setup> session_setup;
    bool session_ice = false;
    std::vector<Span> bundles;  ///< the words of a=group:BUNDLE

    [[nodiscard]] std::string_view at(const Span& span) const { return text.substr(span.offset, span.length); }
    [[nodiscard]] Field field(FieldKind kind) const { return {.kind = kind, .line = line}; }

    void read_line(const Span& value, char type) {
        switch (type) {
            case 'o': read_origin(value); break;
            case 'c': read_connection(value); break;
            case 'm': read_media(value); break;
            case 'a': read_attribute(value); break;
            default: break;
        }
    }

    /// o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address> (RFC 8866 section 5.2). A missing
    /// user name is tolerated: "o= 1 1 IN IP4 …" is seen.
    void read_origin(const Span& value) {
        Words words(text, value);
        const bool no_name = value.length > 0 && text[value.offset] == ' ';
        if (!no_name) static_cast<void>(words.next());
        static_cast<void>(words.next());
        const Span version = words.next();
        if (at(words.next()) != "IN") return;
        Field origin = field(FieldKind::origin);
        origin.family = words.next();
        origin.address = words.next();
        if (!is_family(at(origin.family)) || origin.address.empty()) return;
        doc.fields_.push_back(origin);
        if (media == nullptr && !doc.origin_) {
            doc.origin_ = origin;
            doc.origin_version_ = version;
        }
    }

    /// c=<nettype> <addrtype> <connection-address>[/ttl][/count] (RFC 8866 section 5.7). There is no <nettype> but IN,
    /// and receivers do not look at it: an address behind another word is one all the same.
    void read_connection(const Span& value) {
        Words words(text, value);
        static_cast<void>(words.next());
        Field connection = field(FieldKind::connection);
        connection.family = words.next();
        connection.address = words.next();
        connection.address.length = std::min(at(connection.address).find('/'), connection.address.length);
        if (!is_family(at(connection.family)) || connection.address.empty()) return;
        doc.fields_.push_back(connection);
        if (media == nullptr) {
            if (!doc.session_connection_) doc.session_connection_ = connection;
        } else if (media->own_connections++ == 0) {
            media->own_connection = connection;
        }
    }

    /// m=<media> <port>[/<number of ports>] <proto> <fmt> … (RFC 8866 section 5.14).
    void read_media(const Span& value) {
        Media next{.line = line};
        Words words(text, value);
        next.kind = at(words.next());
        Span port = words.next();
        const std::size_t slash = at(port).find('/');
        if (slash != std::string_view::npos) {
            const auto count = text::parse_number(at(port).substr(slash + 1), 1000);
            next.port_count = count ? static_cast<unsigned>(*count) : 0;
            port.length = slash;
        }
        next.protocol = at(words.next());
        next.formats = at(words.rest());
        next.port_field = field(FieldKind::media);
        if (all_digits(at(port))) {
            next.port_field.port = port;
            next.port = static_cast<std::uint16_t>(text::parse_number(at(port), 65535).value_or(0));
            doc.fields_.push_back(next.port_field);
        }
        doc.media_.push_back(next);
        media = &doc.media_.back();
    }

    void read_attribute(const Span& value) {
        const std::size_t colon = at(value).find(':');
        const std::string_view name = at(value).substr(0, colon);
        const std::size_t skip = colon == std::string_view::npos ? value.length : colon + 1;
        const Span rest{value.offset + skip, value.length - skip};
        if (const auto direction = parse_direction(name)) {
            (media != nullptr ? media->direction : session_direction) = *direction;
        } else if (name == "rtcp") {
            read_rtcp(rest);
        } else if (name == "rtcp-mux" || name == "rtcp-mux-only") {
            if (media != nullptr) media->rtcp_mux = true;
        } else if (name == "setup") {
            (media != nullptr ? media->setup : session_setup) = parse_setup(text::trim(at(rest)));
        } else if (name == "connection") {
            if (media != nullptr) media->connection_existing = text::trim(at(rest)) == "existing";
        } else if (name == "ice-ufrag" || name == "ice-pwd" || name == "ice-options") {
            (media != nullptr ? media->ice : session_ice) = true;
        } else if (name == "candidate") {
            read_candidate(rest);
        } else if (name == "mid" || name == "bundle-only") {
            if (media == nullptr) return;
            if (name == "mid") {
                media->mid = text::trim(at(rest));
            } else {
                media->bundle_only = true;
            }
        } else {
            read_rare_attribute(name, rest);
        }
    }

    void read_rare_attribute(std::string_view name, const Span& rest) {
        if (name == "group") {
            Words words(text, rest);
            if (media == nullptr && at(words.next()) == "BUNDLE") bundles.push_back(words.rest());
        } else if (name == "remote-candidates") {
            read_remote_candidates(rest);
        } else if (name == "source-filter") {
            read_source_filter(rest);
        } else if (name == "path") {
            read_path(rest);
        } else if (name == "alt") {
            read_alternative(rest);
        } else if (name == "oldmediaip") {
            Field old = field(FieldKind::old_media_ip);
            old.address = Words(text, rest).next();
            if (!old.address.empty()) doc.fields_.push_back(old);
        }
    }

    /// a=rtcp:<port>[ IN <addrtype> <address>] (RFC 3605 section 2.1).
    void read_rtcp(const Span& rest) {
        Words words(text, rest);
        Field rtcp = field(FieldKind::rtcp);
        rtcp.port = words.next();
        if (!all_digits(at(rtcp.port))) return;
        if (at(words.next()) == "IN") {
            rtcp.family = words.next();
            rtcp.address = words.next();
            if (!is_family(at(rtcp.family)) || rtcp.address.empty()) rtcp.family = rtcp.address = {};
        }
        doc.fields_.push_back(rtcp);
        if (media != nullptr && !media->rtcp) media->rtcp = rtcp;
    }

    /// a=candidate:<foundation> <component> <transport> <priority> <address> <port> typ … (RFC 8839 section 5.1).
    void read_candidate(const Span& rest) {
        Words words(text, rest);
        for (int i = 0; i < 4; ++i) static_cast<void>(words.next());
        Field candidate = field(FieldKind::candidate);
        candidate.address = words.next();
        candidate.port = words.next();
        if (!all_digits(at(candidate.port))) return;
        doc.fields_.push_back(candidate);
        if (media != nullptr) {
            ++media->candidates;
            media->ice = true;
        }
        Field related = field(FieldKind::related);
        for (Span word = words.next(); !word.empty(); word = words.next()) {
            if (at(word) == "raddr") related.address = words.next();
            if (at(word) == "rport") related.port = words.next();
        }
        if (!related.address.empty() && all_digits(at(related.port))) doc.fields_.push_back(related);
    }

    /// a=remote-candidates:<component> <address> <port> … (RFC 8839 section 5.2).
    void read_remote_candidates(const Span& rest) {
        Words words(text, rest);
        for (Span component = words.next(); !component.empty(); component = words.next()) {
            Field remote = field(FieldKind::remote_candidate);
            remote.address = words.next();
            remote.port = words.next();
            if (!all_digits(at(remote.port))) return;
            doc.fields_.push_back(remote);
        }
    }

    /// a=source-filter: <mode> <nettype> <addrtype> <destination> <source> … (RFC 4570 section 3).
    void read_source_filter(const Span& rest) {
        Words words(text, rest);
        static_cast<void>(words.next());
        if (at(words.next()) != "IN") return;
        Field target = field(FieldKind::filter_target);
        target.family = words.next();
        target.address = words.next();
        if (target.address.empty()) return;
        doc.fields_.push_back(target);
        for (Span word = words.next(); !word.empty(); word = words.next()) {
            Field source = field(FieldKind::filter_source);
            source.address = word;
            doc.fields_.push_back(source);
        }
    }

    /// a=path:msrp://[user@]host:port/session;tcp … (RFC 4975 section 8.2).
    void read_path(const Span& rest) {
        const Span uri = Words(text, rest).next();
        const std::string_view word = at(uri);
        std::size_t start = word.find("://");
        if (start == std::string_view::npos || !text::istarts_with(word, "msrp")) return;
        start += 3;
        const std::size_t stop = std::min(word.find_first_of("/;?", start), word.size());
        if (const std::size_t user = word.substr(0, stop).rfind('@'); user != std::string_view::npos && user >= start)
            start = user + 1;
        const std::size_t colon = word.substr(0, stop).rfind(':');
        if (colon == std::string_view::npos || colon <= start || !all_digits(word.substr(colon + 1, stop - colon - 1)))
            return;
        Field path = field(FieldKind::path);
        const bool bracketed = word[start] == '[' && word[colon - 1] == ']' && colon - start >= 2;
        path.address = {uri.offset + start + (bracketed ? 1 : 0), colon - start - (bracketed ? 2 : 0)};
        path.port = {uri.offset + colon + 1, stop - colon - 1};
        doc.fields_.push_back(path);
    }

    /// a=alt:<id> <preference> : <user> <password> <address> <port>: the last two words.
    void read_alternative(const Span& rest) {
        Words words(text, rest);
        Field alternative = field(FieldKind::alternative);
        for (Span word = words.next(); !word.empty(); word = words.next()) {
            alternative.address = alternative.port;
            alternative.port = word;
        }
        if (all_digits(at(alternative.port)) && IpAddress::parse(at(alternative.address)))
            doc.fields_.push_back(alternative);
    }
};

void Document::read_all() {
    lines_ = split_lines(text());
    Reader reader{.doc = *this, .text = text()};
    std::size_t sections = 0;
    for (const Line& line : lines_) sections += line.type == 'm' ? 1 : 0;
    media_.reserve(sections);  // Reader::media points into it
    for (reader.line = 0; reader.line < lines_.size(); ++reader.line) {
        if (lines_[reader.line].type == 'm') {
            if (reader.media != nullptr) reader.media->end = reader.line;
            reader.read_line(lines_[reader.line].value, 'm');
            reader.media->direction = reader.session_direction;
            reader.media->setup = reader.session_setup;
            reader.media->ice = reader.session_ice;
        } else {
            reader.read_line(lines_[reader.line].value, lines_[reader.line].type);
        }
    }
    if (reader.media != nullptr) reader.media->end = lines_.size();
    const auto twice = [&, seen_v = false, seen_o = false](const Line& line) mutable {
        return (line.type == 'v' && std::exchange(seen_v, true)) || (line.type == 'o' && std::exchange(seen_o, true));
    };
    if (const auto line = std::ranges::find_if(lines_, twice); line != lines_.end())
        second_ = static_cast<std::size_t>(line - lines_.begin());
    for (Media& media : media_) media.connection = media.own_connection ? media.own_connection : session_connection_;
    read_bundles(reader.bundles);
}

}  // namespace natkit::sdp
