#include "natkit/engine/explain/anonymize/anonymizer.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/record/sip.hpp"

namespace natkit::explain {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t most_names = 65'536;
constexpr std::size_t longest_name = 256;
constexpr std::size_t plain_digits = 7;  ///< a number of fewer may be a port, a count, a status

/// What a user may be called and a sentence of ours says: these name nobody.
constexpr std::array trade = {
    "ack"sv,    "anonymous"sv, "application"sv, "asterisk"sv, "audio"sv,    "both"sv,     "bye"sv,       "call"sv,
    "callee"sv, "caller"sv,    "cancel"sv,      "client"sv,   "contact"sv,  "edge"sv,     "example"sv,   "freeswitch"sv,
    "from"sv,   "gateway"sv,   "hears"sv,       "image"sv,    "invite"sv,   "kamailio"sv, "localhost"sv, "media"sv,
    "natkit"sv, "nothing"sv,   "opensips"sv,    "options"sv,  "packets"sv,  "phone"sv,    "prack"sv,     "proxy"sv,
    "public"sv, "register"sv,  "relay"sv,       "request"sv,  "response"sv, "seen"sv,     "server"sv,    "test"sv,
    "told"sv,   "trunk"sv,     "udp"sv,         "user"sv,     "video"sv,
};

static_assert(std::ranges::is_sorted(trade), "looked up by binary search");

/// Lines that say in free words who or what it is about.
constexpr std::array free_fields = {"subject"sv, "organization"sv, "call-info"sv, "reply-to"sv, "alert-info"sv};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

bool in_word(char c) {
    return is_digit(c) || is_letter(c) || "._~+*#-"sv.find(c) != std::string_view::npos;
}

bool in_address(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

bool is_number(std::string_view user) {
    return !user.empty() &&
           std::ranges::all_of(user, [](char c) { return is_digit(c) || c == '+' || c == '*' || c == '#'; }) &&
           std::ranges::any_of(user, is_digit);
}

std::string_view without_dots(std::string_view word) {
    while (word.ends_with('.') || word.ends_with('-')) word.remove_suffix(1);
    return word;
}

/// The n-th number of this form: a plus stays, and so does the count of digits as far as it goes.
std::string number_like(std::string_view user, std::size_t n) {
    const auto digits = static_cast<std::size_t>(std::ranges::count_if(user, is_digit));
    const std::string tail = std::to_string(n);
    const std::string lead(digits > tail.size() ? digits - tail.size() : 0, '5');
    return (user.starts_with('+') ? "+" : "") + lead + tail;
}

}  // namespace

std::string Anonymizer::user(std::string_view user) {
    user = user.substr(0, longest_name);
    if (user.empty() || text::iequals(user, "anonymous")) return std::string(user);
    const auto known = users_.find(std::string(user));
    if (known != users_.end()) return known->second;
    if (users_.size() >= most_names) return "user0";
    const std::size_t n = users_.size() + 1;
    return users_[std::string(user)] = is_number(user) ? number_like(user, n) : "user" + std::to_string(n);
}

std::string Anonymizer::host(std::string_view host) {
    host = host.substr(0, longest_name);
    if (const auto address = IpAddress::parse(host)) return to_string(addresses_.mask(*address));
    const std::string name = text::lower(host);
    if (name.empty() || name == "localhost" || name.ends_with(".invalid")) return std::string(host);
    const auto known = hosts_.find(name);
    if (known != hosts_.end()) return known->second;
    if (hosts_.size() >= most_names) return "host0.example";
    return hosts_[name] = "host" + std::to_string(hosts_.size() + 1) + ".example";
}

std::string Anonymizer::display(std::string_view name) {
    name = name.substr(0, longest_name);
    const auto known = displays_.find(std::string(name));
    if (known != displays_.end()) return known->second;
    if (displays_.size() >= most_names) return "Name 0";
    return displays_[std::string(name)] = "Name " + std::to_string(displays_.size() + 1);
}

/// One text on its way from `in` to `out`.
struct Anonymizer::Scan {
    Anonymizer& names;
    std::string_view in;
    std::size_t at = 0;
    std::string out = {};

    [[nodiscard]] std::string_view rest() const { return in.substr(at); }
    [[nodiscard]] bool at_line_start() const { return at == 0 || in[at - 1] == '\n'; }
    [[nodiscard]] bool at_boundary() const { return at == 0 || !in_word(in[at - 1]) || in[at - 1] == '-'; }
    void copy(std::size_t count) {
        out += rest().substr(0, count);
        at += std::min(count, in.size() - at);
    }

    [[nodiscard]] bool address();
    [[nodiscard]] bool uri();
    [[nodiscard]] bool line();
    [[nodiscard]] bool parameter();
    void display_before();
    void word();
    void put_host();
    std::string run();
};

/// IPv4 and IPv6, with the length of a prefix perhaps.
bool Anonymizer::Scan::address() {
    const auto length_while = [&](auto fits) {
        std::size_t length = 0;
        while (length < rest().size() && fits(rest()[length])) ++length;
        return length;
    };
    std::string_view token =
        without_dots(rest().substr(0, length_while([](char c) { return is_digit(c) || c == '.'; })));
    auto address = IpAddress::parse(token);
    if (!address) {
        token = rest().substr(0, length_while(in_address));
        if (std::ranges::count(token, ':') < 2) return false;
        while (token.ends_with('.') || (token.ends_with(':') && !token.ends_with("::"))) token.remove_suffix(1);
        address = IpAddress::parse(token);
    }
    if (!address || (token.size() < rest().size() && is_letter(rest()[token.size()]))) return false;
    at += token.size();
    const IpAddress masked = names.addresses_.mask(*address);
    std::size_t digits = 0;
    while (digits < 3 && digits + 1 < rest().size() && is_digit(rest()[digits + 1])) ++digits;
    const auto length = rest().starts_with('/') ? text::parse_number(rest().substr(1, digits), 128) : std::nullopt;
    const auto range =
        length ? IpRange::parse(to_string(masked) + "/" + std::to_string(*length)) : IpRange::single(masked);
    out += to_string(range ? range->first() : masked);
    return true;
}

/// Up to the end of a host name; an address is left to address().
void Anonymizer::Scan::put_host() {
    std::size_t length = 0;
    while (length < rest().size() && (is_digit(rest()[length]) || is_letter(rest()[length]) || rest()[length] == '.' ||
                                      rest()[length] == '-' || rest()[length] == '_'))
        ++length;
    const std::string_view name = without_dots(rest().substr(0, length));
    if (name.empty() || IpAddress::parse(name) || !std::ranges::any_of(name, is_letter)) return;
    out += names.host(name);
    at += name.size();
}

/// "sip:user:password@host", "tel:+1555"; a display name before its bracket goes too.
bool Anonymizer::Scan::uri() {
    std::size_t scheme = 0;
    for (const std::string_view one : {"sip:"sv, "sips:"sv, "tel:"sv})
        if (text::istarts_with(rest(), one)) scheme = one.size();
    if (scheme == 0) return false;
    const bool tel = text::istarts_with(rest(), "tel:");
    display_before();
    copy(scheme);
    const std::string_view whole = rest().substr(0, rest().find_first_of(" \t\r\n<>\"&\\,)'"));
    const std::size_t at_sign = whole.rfind('@');
    if (tel) {
        const std::string_view number = whole.substr(0, whole.find(';'));
        out += names.user(number);
        at += number.size();
    } else if (at_sign != std::string_view::npos) {
        const std::string_view user = whole.substr(0, std::min(whole.find(':'), at_sign));  // no password
        out += names.user(user) + "@";
        at += at_sign + 1;
    }
    if (!tel) put_host();
    return true;
}

/// What stands before "<sip:", in quotes or not: it is in `out` already.
void Anonymizer::Scan::display_before() {
    std::size_t bracket = out.size();
    for (const std::string_view one : {"<"sv, "&lt;"sv})
        if (out.ends_with(one)) bracket = out.size() - one.size();
    if (bracket == out.size()) return;
    const std::string tail = out.substr(bracket);
    std::string_view before = std::string_view(out).substr(0, bracket);
    while (before.ends_with(' ')) before.remove_suffix(1);
    for (const std::string_view quote : {"\""sv, "&quot;"sv}) {
        if (!before.ends_with(quote)) continue;
        const std::size_t close = before.size() - quote.size();
        const std::size_t open = close == 0 ? std::string_view::npos : before.rfind(quote, close - 1);
        if (open == std::string_view::npos || before.substr(open).find('\n') != std::string_view::npos) return;
        const std::size_t from = open + quote.size();
        if (from >= close) return;
        const std::string name = names.display(before.substr(from, close - from));
        out.resize(from);
        out.append(name).append(quote).append(" ").append(tail);
        return;
    }
    const std::size_t from = before.find_last_of("\n:,>\";") + 1;  // of npos: the beginning
    const std::string_view name = text::trim(before.substr(from));
    if (name.empty() || name.size() > 64 || !std::ranges::all_of(name, [](char c) { return in_word(c) || c == ' '; }))
        return;
    const std::string other = names.display(name);
    out.resize(from);
    out.append(from == 0 ? "" : " ").append(other).append(" ").append(tail);
}

/// Lines of SDP and header fields that are free text, or name who wrote them.
bool Anonymizer::Scan::line() {
    if (!at_line_start()) return false;
    const std::size_t end = text::line_end(rest(), 0);
    const std::string_view whole = rest().substr(0, end);
    if (whole.size() > 2 && whole[1] == '=') {
        const std::string_view value = whole.substr(2);
        if (whole[0] == 'o') {
            const std::string_view user = value.substr(0, value.find(' '));
            out += "o=" + (user == "-" ? std::string(user) : names.user(user));
            at += 2 + user.size();
            return true;
        }
        if ("siuep"sv.find(whole[0]) != std::string_view::npos && value != "-") {
            out += std::string(whole.substr(0, 2)) + "-";
            at += end;
            return true;
        }
    }
    const std::size_t colon = whole.find(':');
    if (colon > 16) return false;
    const std::string name = text::lower(text::trim(whole.substr(0, colon)));
    if (std::ranges::find(free_fields, name) == free_fields.end()) return false;
    out += std::string(whole.substr(0, colon + 1)) + " -";
    at += end;
    return true;
}

/// username="…" and realm="…" of digest; "SIP/2.0/UDP host" of Via.
bool Anonymizer::Scan::parameter() {
    for (const std::string_view name : {"username="sv, "realm="sv}) {
        if (!text::istarts_with(rest(), name)) continue;
        copy(name.size());
        for (const std::string_view quote : {"\""sv, "&quot;"sv}) {
            if (!rest().starts_with(quote)) continue;
            copy(quote.size());
            const std::string_view value = rest().substr(0, rest().find(quote));
            const std::string_view bare = value.substr(0, value.find('@'));
            out += name[0] == 'u' ? names.user(bare) : names.host(value);
            at += name[0] == 'u' ? bare.size() : value.size();
            break;
        }
        return true;
    }
    if (!text::istarts_with(rest(), "SIP/2.0/")) return false;
    const std::size_t space = rest().find(' ');
    if (space > 16) return false;
    copy(space + 1);
    put_host();
    return true;
}

/// A name that is known, wherever it stands.
void Anonymizer::Scan::word() {
    std::size_t length = 0;
    while (length < rest().size() && in_word(rest()[length])) ++length;
    const std::string_view word = without_dots(rest().substr(0, std::max<std::size_t>(length, 1)));
    const std::string lower = text::lower(word);
    const auto host = names.hosts_.find(lower);
    const auto user = names.users_.find(std::string(word));
    const auto digits = static_cast<std::size_t>(std::ranges::count_if(word, is_digit));
    const bool before_host = rest().substr(word.size()).starts_with('@');
    const bool plain = is_number(word) ? digits < plain_digits : word.size() < 3;
    if (host != names.hosts_.end() && word.find('.') != std::string_view::npos) {
        out += host->second;
        at += word.size();
    } else if (user != names.users_.end() && (before_host || (!plain && !std::ranges::binary_search(trade, lower)))) {
        out += user->second;
        at += word.size();
    } else {
        copy(std::max<std::size_t>(word.size(), 1));
    }
}

std::string Anonymizer::Scan::run() {
    while (at < in.size()) {
        if (line()) continue;
        const bool boundary = at_boundary();
        if (boundary && (uri() || parameter())) continue;
        const bool numeric = in_address(rest()[0]) && (rest()[0] != '.') && (boundary || in[at - 1] == '.');
        if (boundary && numeric && address()) continue;
        if (rest()[0] == '@') {
            const bool of_user = at > 0 && in_word(in[at - 1]);  // and no rule of a style sheet
            copy(1);
            if (of_user) put_host();
        } else if (boundary) {
            word();
        } else {
            copy(1);
        }
    }
    return std::move(out);
}

std::string Anonymizer::text(std::string_view text) {
    return Scan{.names = *this, .in = text}.run();
}

std::string Anonymizer::record(const std::string& line) {
    auto json = nlohmann::ordered_json::parse(line, nullptr, false);
    if (json.is_discarded()) return text(line);
    const auto walk = [this](auto& self, nlohmann::ordered_json& value) -> void {
        if (value.is_string()) {
            const auto& old = value.template get_ref<const std::string&>();
            const auto name = displays_.find(old);
            value = name != displays_.end() ? name->second : text(old);
        } else if (value.is_object()) {
            value.erase("message_base64");
            for (auto& [key, one] : value.items())
                if (key != "type") self(self, one);
        } else if (value.is_array()) {
            for (auto& one : value) self(self, one);
        }
    };
    walk(walk, json);
    return natkit::record::to_line(json);
}

}  // namespace natkit::explain
