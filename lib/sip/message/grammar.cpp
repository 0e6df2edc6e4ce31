#include "natkit/sip/message/grammar.hpp"

#include <algorithm>
#include <utility>

#include "letters.hpp"
#include "natkit/base/text.hpp"
#include "not_a.hpp"
#include "plain.hpp"
#include "sofia.hpp"

namespace natkit::sip {
namespace {

constexpr std::size_t usual_values = 4;

std::optional<IpAddress> address_of(const std::string& host) {
    auto address = IpAddress::parse(host);
    if (!address) return std::nullopt;
    return *address;
}

/// Where the parameters of a header value begin: the first ';' outside quotes and angle brackets.
std::size_t params_begin(std::string_view text) {
    bool quoted = false;
    bool angle = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\') {
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '<' || c == '>')) {
            angle = c == '<';
        } else if (!quoted && !angle && c == ';') {
            return i;
        }
    }
    return text.size();
}

/// Takes a value off a list of them, with the comma behind it; it may be empty.
std::string_view next_value(std::string_view& rest) {
    static constexpr auto marks = Letters(R"(\"<>,)");
    bool quoted = false;
    bool angle = false;
    std::size_t end = rest.find(',') == std::string_view::npos ? rest.size() : 0;
    for (; end < rest.size(); ++end) {
        const char c = rest[end];
        if (!marks.hold(c)) continue;
        if (quoted && c == '\\') {
            ++end;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '<' || c == '>')) {
            angle = c == '<';
        } else if (!quoted && !angle && c == ',') {
            break;
        }
    }
    end = std::min(end, rest.size());
    const std::string_view value = text::trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return value;
}

}  // namespace

std::optional<std::string_view> Params::get(std::string_view name) const noexcept {
    const auto found = std::ranges::find_if(items_, [&](const auto& item) { return text::iequals(item.first, name); });
    if (found == items_.end()) return std::nullopt;
    return found->second;
}

Result<Uri> Uri::parse(std::string_view text) {
    if (auto plain = plain::read_uri(text)) return *std::move(plain);
    return sofia::read_uri(text);
}

std::optional<IpAddress> Uri::address() const {
    return address_of(host);
}

bool Uri::same_address(const Uri& other) const {
    const auto port_or_default = [](const Uri& uri) { return uri.port.value_or(uri.scheme == "sips" ? 5061 : 5060); };
    const auto mine = address();
    const bool same_host = mine ? mine == other.address() : text::iequals(host, other.host);
    return scheme == other.scheme && user == other.user && same_host &&
           port_or_default(*this) == port_or_default(other);
}

Result<Via> Via::parse(std::string_view text) {
    if (auto plain = plain::read_via(text)) return *std::move(plain);
    return sofia::read_via(text);
}

std::optional<IpAddress> Via::address() const {
    return address_of(host);
}

Result<NameAddr> NameAddr::parse(std::string_view text) {
    if (auto plain = plain::read_name_addr(text)) return *std::move(plain);
    return sofia::read_name_addr(text);
}

Result<CSeq> CSeq::parse(std::string_view text) {
    // Ours, not sofia's: it takes methods with a backtick or '*' for garbage (RFC 4475 "intmeth").
    const std::string_view bare = text::trim(text);
    const std::size_t space = bare.find_first_of(" \t");
    const auto number = text::parse_number(bare.substr(0, space), 0x7fffffff);
    if (!number || space == std::string_view::npos) return not_a("CSeq", text);
    const std::string_view method = text::trim(bare.substr(space));
    if (method.empty() || method.find_first_of(" \t\r\n") != std::string_view::npos) return not_a("CSeq", text);
    return CSeq{.number = static_cast<std::uint32_t>(*number), .method = std::string(method)};
}

std::vector<std::string_view> split_values(std::string_view text) {
    std::vector<std::string_view> values;
    if (text.find(',') != std::string_view::npos) values.reserve(usual_values);
    while (!text.empty()) {
        const std::string_view value = next_value(text);
        if (!value.empty()) values.push_back(value);
    }
    return values;
}

std::string_view first_value(std::string_view text) {
    std::string_view value;
    while (!text.empty() && value.empty()) value = next_value(text);
    return value;
}

std::string with_param(std::string_view text, std::string_view name, std::optional<std::string_view> value) {
    const std::size_t begin = params_begin(text);
    std::string result;
    result.reserve(text.size() + name.size() + (value ? value->size() : 0) + 2);
    result += text.substr(0, begin);
    bool done = !value;
    const auto set = [&] {
        if (std::exchange(done, true)) return;
        (result += ';') += name;
        if (!value->empty()) (result += '=') += *value;
    };
    std::string_view rest = text.substr(begin);
    while (!rest.empty()) {  // rest starts with ';'
        const std::size_t end = 1 + params_begin(rest.substr(1));
        const std::string_view item = rest.substr(0, end);
        const std::string_view item_name = text::trim(item.substr(1, item.find('=') - 1));
        if (text::iequals(item_name, name)) {
            set();
        } else {
            result += item;
        }
        rest.remove_prefix(end);
    }
    set();
    return result;
}

}  // namespace natkit::sip
