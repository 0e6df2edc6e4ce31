#include "natkit/sip/grammar.hpp"

#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/su_alloc.h>
#include <sofia-sip/url.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "natkit/base/text.hpp"

namespace natkit::sip {
namespace {

/// Longest single value handed to the parser; RFC 3261 sets no limit, a UDP datagram does.
constexpr std::size_t longest_value = 16'384;
constexpr std::size_t usual_params = 4;
constexpr std::size_t usual_values = 4;

/// The memory of one parse: what usual values need is part of it, the rest comes from the heap.
class Home {
  public:
    Home() : home_(su_home_auto(area_, sizeof area_)) {}
    ~Home() { su_home_deinit(home_); }
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;

    operator su_home_t*() { return home_; }  // NOLINT(google-explicit-constructor): it stands for the pointer

  private:
    su_home_t area_[SU_HOME_AUTO_SIZE(2048)];
    su_home_t* home_;
};

/// A set of letters that is quickly asked.
class Letters {
  public:
    constexpr explicit Letters(std::string_view letters) {
        for (const char c : letters) held_[static_cast<unsigned char>(c)] = true;
    }
    [[nodiscard]] constexpr bool hold(char c) const noexcept { return held_[static_cast<unsigned char>(c)]; }

  private:
    std::array<bool, 256> held_{};
};

std::string text_of(const char* text) {
    return text == nullptr ? std::string() : std::string(text);
}

std::unexpected<Error> not_a(const char* what, std::string_view text) {
    return fail(Errc::bad_input, std::string("not a ") + what + ": '" + text::printable(text, 80) + "'");
}

bool parseable(std::string_view text) {
    return !text.empty() && text.size() <= longest_value && text.find('\0') == std::string_view::npos;
}

Params params_of(const msg_param_t* params) {
    std::vector<std::pair<std::string, std::string>> items;
    if (params != nullptr) items.reserve(usual_params);
    for (; params != nullptr && *params != nullptr; ++params) {
        const std::string_view item = *params;
        const std::size_t equals = item.find('=');
        items.emplace_back(
            std::string(text::trim(item.substr(0, equals))),
            equals == std::string_view::npos ? std::string() : std::string(text::trim(item.substr(equals + 1))));
    }
    return Params(std::move(items));
}

Params url_params_of(const char* params) {
    std::vector<std::pair<std::string, std::string>> items;
    if (params == nullptr) return Params();
    for (const std::string_view item : text::split(params, ';')) {
        const std::size_t equals = item.find('=');
        items.emplace_back(std::string(item.substr(0, equals)),
                           equals == std::string_view::npos ? std::string() : std::string(item.substr(equals + 1)));
    }
    return Params(std::move(items));
}

std::optional<std::uint16_t> port_of(const char* text) {
    if (text == nullptr) return std::nullopt;
    const auto port = text::parse_number(text, 65535);
    if (!port) return std::nullopt;
    return static_cast<std::uint16_t>(*port);
}

std::optional<IpAddress> address_of(const std::string& host) {
    auto address = IpAddress::parse(host);
    if (!address) return std::nullopt;
    return *address;
}

/// The URI inside a name-addr or addr-spec as it was written: sofia unescapes, and a forwarded URI must not change.
std::string_view raw_uri(std::string_view text) {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (quoted && text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && text[i] == '<') {
            const std::size_t end = text.find('>', i);
            return text::trim(text.substr(i + 1, end == std::string_view::npos ? end : end - i - 1));
        }
    }
    return text::trim(text.substr(0, text.find(';')));
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
    if (!parseable(text)) return not_a("URI", text);
    std::string copy(text);
    url_t url;  // of pieces of the copy
    if (url_d(&url, copy.data()) != 0 || url.url_scheme == nullptr || url.url_type == url_invalid) {
        return not_a("URI", text);
    }
    Uri uri{.scheme = text::lower(url.url_scheme),
            .user = text_of(url.url_user),
            .host = text_of(url.url_host),
            .port = port_of(url.url_port),
            .params = url_params_of(url.url_params)};
    const bool sip = uri.scheme == "sip" || uri.scheme == "sips";
    if (sip && (uri.host.empty() || (url.url_port != nullptr && *url.url_port != '\0' && !uri.port))) {
        return not_a("SIP URI", text);
    }
    return uri;
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
    if (!parseable(text)) return not_a("Via", text);
    Home home;
    const sip_via_t* via = sip_via_make(home, std::string(text).c_str());
    if (via == nullptr || via->v_host == nullptr || via->v_protocol == nullptr || via->v_next != nullptr) {
        return not_a("Via", text);
    }
    const std::string_view protocol = via->v_protocol;
    std::string transport(text::trim(protocol.substr(protocol.rfind('/') + 1)));
    std::ranges::transform(transport, transport.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    Via value{.transport = std::move(transport),
              .host = via->v_host,
              .port = port_of(via->v_port),
              .branch = text_of(via->v_branch),
              .received = {},
              .rport_asked = via->v_rport != nullptr,
              .rport = port_of(via->v_rport)};
    if (via->v_port != nullptr && !value.port) return not_a("Via port", text);
    if (via->v_received != nullptr) value.received = via->v_received;
    return value;
}

std::optional<IpAddress> Via::address() const {
    return address_of(host);
}

Result<NameAddr> NameAddr::parse(std::string_view text) {
    if (!parseable(text)) return not_a("name-addr", text);
    Home home;
    // The grammar of Contact ("*" included); that of From, To and Route is a part of it.
    std::string copy(text);
    char* rest = copy.data();
    const auto skip_empty = [&rest] { rest += std::strspn(rest, ", \t\r\n"); };
    skip_empty();
    const char* display = nullptr;
    const char* comment = nullptr;
    const msg_param_t* params = nullptr;
    url_t url;
    const bool good = *rest != '\0' && sip_name_addr_d(home, &rest, &display, &url, &params, &comment) >= 0;
    if (good) skip_empty();
    if (!good || *rest != '\0') return not_a("name-addr", text);  // more than one of them, perhaps
    return NameAddr{.uri = std::string(raw_uri(text)), .params = params_of(params)};
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
