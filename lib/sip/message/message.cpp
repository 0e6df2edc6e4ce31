#include "natkit/sip/message/message.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

constexpr std::size_t most_header_bytes = 65'536;
constexpr std::size_t most_headers = 512;
constexpr std::size_t usual_headers = 16;

struct Spelling {
    Name name;
    std::string_view text;
    char compact;  ///< '\0' for none
};
constexpr std::array spellings = std::to_array<Spelling>({
    {Name::via, "Via", 'v'},
    {Name::from, "From", 'f'},
    {Name::to, "To", 't'},
    {Name::call_id, "Call-ID", 'i'},
    {Name::cseq, "CSeq", '\0'},
    {Name::contact, "Contact", 'm'},
    {Name::max_forwards, "Max-Forwards", '\0'},
    {Name::route, "Route", '\0'},
    {Name::record_route, "Record-Route", '\0'},
    {Name::path, "Path", '\0'},
    {Name::expires, "Expires", '\0'},
    {Name::min_expires, "Min-Expires", '\0'},
    {Name::content_type, "Content-Type", 'c'},
    {Name::content_length, "Content-Length", 'l'},
    {Name::content_encoding, "Content-Encoding", 'e'},
    {Name::content_disposition, "Content-Disposition", '\0'},
    {Name::require, "Require", '\0'},
    {Name::proxy_require, "Proxy-Require", '\0'},
    {Name::supported, "Supported", 'k'},
    {Name::unsupported, "Unsupported", '\0'},
    {Name::rseq, "RSeq", '\0'},
    {Name::authorization, "Authorization", '\0'},
    {Name::proxy_authorization, "Proxy-Authorization", '\0'},
    {Name::www_authenticate, "WWW-Authenticate", '\0'},
    {Name::proxy_authenticate, "Proxy-Authenticate", '\0'},
    {Name::user_agent, "User-Agent", '\0'},
    {Name::server, "Server", '\0'},
    {Name::event, "Event", 'o'},
    {Name::reason, "Reason", '\0'},
});

constexpr std::string_view token_letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.!%*_+`'~";

/// By byte: every byte of every header field's name is looked at.
constexpr auto in_token = [] {
    std::array<bool, 256> known{};
    for (const char c : token_letters) known[static_cast<unsigned char>(c)] = true;
    return known;
}();

/// RFC 3261 section 25.1 "token".
bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return in_token[static_cast<unsigned char>(c)]; });
}

/// Cuts lines off a text, remembering their number; a line ends with CRLF or LF.
class Lines {
  public:
    explicit Lines(std::string_view text) : rest_(text) {}

    /// The next line without its end; nothing when no line end is left.
    std::optional<std::string_view> next() {
        const std::size_t end = rest_.find('\n');
        if (end == std::string_view::npos) return std::nullopt;
        std::string_view line = rest_.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        rest_.remove_prefix(end + 1);
        ++number_;
        return line;
    }
    [[nodiscard]] bool continues() const { return rest_.starts_with(' ') || rest_.starts_with('\t'); }
    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] std::size_t number() const { return number_; }
    [[nodiscard]] std::string where() const { return "line " + std::to_string(number_); }

  private:
    std::string_view rest_;
    std::size_t number_ = 0;
};

Result<Header> parse_header(std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string_view name = text::trim(line.substr(0, colon));
    if (colon == std::string_view::npos || !is_token(name)) {
        return fail(Errc::bad_input, "not a header field: '" + text::printable(line, 60) + "'");
    }
    return Header{.name = name_of(name), .name_text = name, .value = text::trim(line.substr(colon + 1)), .line = line};
}

constexpr std::uint64_t bit(Name name) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(name);
}

constexpr std::uint64_t single_fields = bit(Name::from) | bit(Name::to) | bit(Name::call_id) | bit(Name::cseq) |
                                        bit(Name::max_forwards) | bit(Name::content_length) | bit(Name::content_type) |
                                        bit(Name::expires) | bit(Name::min_expires) | bit(Name::user_agent) |
                                        bit(Name::server) | bit(Name::event);

Result<void> check_single(const Message& message) {
    std::uint64_t known = 0;
    for (const Header& header : message.headers()) {
        const std::uint64_t field = bit(header.name) & single_fields;
        if ((known & field) != 0) return fail(Errc::bad_input, "duplicate " + std::string(to_string(header.name)));
        known |= field;
    }
    // Those that travel untouched may still be there only once (RFC 3261 section 7.3.1).
    constexpr std::array<std::string_view, 16> others = {
        "Subject",  "s", "Date",        "Organization", "Priority",        "MIME-Version", "Reply-To",  "Retry-After",
        "Refer-To", "r", "Referred-By", "Replaces",     "Session-Expires", "Min-SE",       "Timestamp", "RAck"};
    std::array<bool, others.size()> seen{};
    for (const Header& header : message.headers()) {
        if (header.name != Name::other) continue;
        const auto* found =
            std::ranges::find_if(others, [&](std::string_view one) { return text::iequals(one, header.name_text); });
        if (found == others.end()) continue;
        bool& before = seen[static_cast<std::size_t>(found - others.begin())];
        if (before) return fail(Errc::bad_input, "duplicate " + std::string(*found));
        before = true;
    }
    return {};
}

}  // namespace

std::string_view to_string(Name name) noexcept {
    const auto found = std::ranges::find(spellings, name, &Spelling::name);
    return found == spellings.end() ? std::string_view() : found->text;
}

Name name_of(std::string_view text) noexcept {
    const char first = text.empty() ? '\0' : text::lower(text[0]);
    for (const Spelling& spelling : spellings) {
        const bool compact = text.size() == 1 && first == spelling.compact;
        const bool alike = text.size() == spelling.text.size() && first == text::lower(spelling.text[0]);
        if (compact || (alike && text::iequals(text, spelling.text))) return spelling.name;
    }
    return Name::other;
}

Result<void> Message::Content::read_start_line(std::string_view line) {
    start_line = line;
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first != std::string_view::npos) {
        if (text::iequals(line.substr(0, first), "SIP/2.0")) {
            const std::string_view after = line.substr(first + 1);
            const auto known = text::parse_number(after.substr(0, 3), 699);
            if (known && *known >= 100 && (after.size() == 3 || after[3] == ' ')) {
                status = static_cast<int>(*known);
                uri = after.size() > 4 ? after.substr(4) : std::string_view();
                return {};
            }
        } else if (first != last && text::iequals(line.substr(last + 1), "SIP/2.0") &&
                   is_token(line.substr(0, first))) {
            method = line.substr(0, first);
            uri = text::trim(line.substr(first + 1, last - first - 1));
            if (!uri.empty()) return {};
        }
    }
    return fail(Errc::bad_input, "not a SIP start line: '" + text::printable(line, 60) + "'", "line 1");
}

Result<void> Message::Content::read() {
    std::string_view all = bytes;
    all.remove_prefix(std::min(all.find_first_not_of("\r\n"), all.size()));
    Lines lines(all);
    const auto start = lines.next();
    if (!start) return fail(Errc::bad_input, "not a SIP message: no line end", "line 1");
    if (auto ok = read_start_line(*start); !ok) return ok;
    headers.reserve(usual_headers);
    for (;;) {
        const std::string_view from_here = lines.rest();
        auto line = lines.next();
        if (!line) return fail(Errc::bad_input, "no empty line after the header fields", lines.where());
        if (line->empty()) break;
        const std::size_t number = lines.number();
        while (lines.continues()) {  // RFC 3261 section 7.3.1: a folded line
            const auto more = lines.next();
            if (!more) return fail(Errc::bad_input, "no empty line after the header fields", lines.where());
            line = from_here.substr(0, static_cast<std::size_t>(more->data() + more->size() - from_here.data()));
        }
        auto header = parse_header(*line);
        if (!header) return fail(Errc::bad_input, header.error().message, "line " + std::to_string(number));
        headers.push_back(*header);
        if (headers.size() > most_headers || all.size() - lines.rest().size() > most_header_bytes) {
            return fail(Errc::bad_input, "too many header fields", "line " + std::to_string(number));
        }
    }
    body = lines.rest();
    return {};
}

Result<Message> Message::parse(std::string bytes, Controls controls) {
    auto content = std::make_shared<Content>();
    content->bytes = std::move(bytes);
    content->control = blank_controls(content->bytes);
    if (auto ok = content->read(); !ok) return std::unexpected(ok.error());
    if (content->control && controls == Controls::refused) {
        return fail(Errc::bad_input, to_string(*content->control) + " in the header section",
                    "line " + std::to_string(content->control->line));
    }
    Message message(content);
    if (const auto declared = message.declared_length(); declared && *declared < content->body.size()) {
        content->rest = content->body.substr(static_cast<std::size_t>(*declared));
        content->body = content->body.substr(0, static_cast<std::size_t>(*declared));
    }
    return message;
}

Message Message::with_value(const Header& header, std::string_view value) const {
    const std::string_view old = content_->bytes;
    const auto offset = [&](std::string_view view) { return static_cast<std::size_t>(view.data() - old.data()); };
    const std::size_t at = offset(header.value);
    auto changed = std::make_shared<Content>();
    changed->bytes.reserve(old.size() + value.size());
    changed->bytes.append(old.substr(0, at)).append(value).append(old.substr(at + header.value.size()));
    // Views that begin behind the value move with what follows it; that of the field's own line grows.
    const auto moved = [&](std::string_view view) {
        if (view.empty()) return std::string_view();
        const std::size_t begin = offset(view);
        const bool behind = begin > at;
        const bool around = !behind && begin + view.size() > at;
        return std::string_view(changed->bytes)
            .substr(behind ? begin + value.size() - header.value.size() : begin,
                    around ? view.size() + value.size() - header.value.size() : view.size());
    };
    changed->start_line = moved(content_->start_line);
    changed->method = moved(content_->method);
    changed->uri = moved(content_->uri);
    changed->status = content_->status;
    changed->headers.reserve(content_->headers.size());
    for (const Header& each : content_->headers) {
        changed->headers.push_back({.name = each.name,
                                    .name_text = moved(each.name_text),
                                    .value = moved(each.value),
                                    .line = moved(each.line)});
    }
    changed->body = moved(content_->body);
    changed->rest = moved(content_->rest);
    changed->control = content_->control;
    if (header.name != Name::via) changed->top_via = content_->top_via;
    if (header.name != Name::cseq) changed->cseq = content_->cseq;
    if (header.name != Name::from) changed->from = content_->from;
    if (header.name != Name::to) changed->to = content_->to;
    return Message(std::move(changed));
}

const Header* Message::find(Name name) const noexcept {
    const auto found = std::ranges::find(headers(), name, &Header::name);
    return found == headers().end() ? nullptr : &*found;
}

std::vector<std::string_view> Message::values(Name name) const {
    std::vector<std::string_view> all;
    for (const Header& header : headers()) {
        if (header.name != name) continue;
        auto values = split_values(header.value);
        if (all.empty()) {
            all = std::move(values);
        } else {
            all.insert(all.end(), values.begin(), values.end());
        }
    }
    return all;
}

std::string_view Message::value(Name name) const noexcept {
    const Header* header = find(name);
    return header == nullptr ? std::string_view() : header->value;
}

const Result<Via>& Message::top_via() const {
    auto& kept = content_->top_via;
    if (kept) return *kept;
    const std::string_view first = first_value(value(Name::via));
    kept = first.empty() ? fail(Errc::bad_input, "missing Via") : Via::parse(first);
    return *kept;
}

const Result<CSeq>& Message::cseq() const {
    auto& kept = content_->cseq;
    if (kept) return *kept;
    kept = find(Name::cseq) == nullptr ? fail(Errc::bad_input, "missing CSeq") : CSeq::parse(value(Name::cseq));
    return *kept;
}

const Result<NameAddr>& Message::from() const {
    auto& kept = content_->from;
    if (!kept) kept = NameAddr::parse(value(Name::from));
    return *kept;
}

const Result<NameAddr>& Message::to() const {
    auto& kept = content_->to;
    if (!kept) kept = NameAddr::parse(value(Name::to));
    return *kept;
}

std::string Message::tag(const Result<NameAddr>& address) {
    if (!address) return {};
    return std::string(address->params.get("tag").value_or(""));
}

std::string Message::content_type() const {
    const std::string_view type = value(Name::content_type);
    std::string joined;
    for (const char c : type.substr(0, type.find(';'))) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') joined += text::lower(c);
    }
    return joined;
}

std::optional<std::uint64_t> Message::declared_length() const noexcept {
    const Header* header = find(Name::content_length);
    return header == nullptr ? std::nullopt : text::parse_number(header->value, 0x7fffffff);
}

Result<void> check(const Message& message) {
    if (message.control()) return fail(Errc::bad_input, to_string(*message.control()) + " in the header section");
    constexpr std::array needed = {Name::via, Name::from, Name::to, Name::call_id, Name::cseq};
    for (const Name name : needed) {
        if (message.value(name).empty()) return fail(Errc::bad_input, "missing " + std::string(to_string(name)));
    }
    if (auto single = check_single(message); !single) return single;
    const auto& cseq = message.cseq();
    if (!cseq) return std::unexpected(cseq.error());
    if (message.is_request() && cseq->method != message.method()) {
        return fail(Errc::bad_input, "CSeq names another method: '" + text::printable(cseq->method, 40) + "'");
    }
    if (const auto& via = message.top_via(); !via) return std::unexpected(via.error());
    for (const auto* address : {&message.from(), &message.to()}) {
        if (!*address) return std::unexpected(address->error());
    }
    if (message.find(Name::content_length) != nullptr) {
        const auto declared = message.declared_length();
        if (!declared) return fail(Errc::bad_input, "Content-Length is not a number");
        if (*declared > message.body().size()) return fail(Errc::bad_input, "Content-Length exceeds the message");
    }
    return {};
}

}  // namespace natkit::sip
