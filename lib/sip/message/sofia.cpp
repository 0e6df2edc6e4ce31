#include "sofia.hpp"

#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/su_alloc.h>
#include <sofia-sip/url.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "natkit/base/text.hpp"
#include "not_a.hpp"

namespace natkit::sip::sofia {
namespace {

/// Longest single value handed to the parser; RFC 3261 sets no limit, a UDP datagram does.
constexpr std::size_t longest_value = 16'384;
constexpr std::size_t usual_params = 4;

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

std::string text_of(const char* text) {
    return text == nullptr ? std::string() : std::string(text);
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

}  // namespace

Result<Uri> read_uri(std::string_view text) {
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

Result<Via> read_via(std::string_view text) {
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

Result<NameAddr> read_name_addr(std::string_view text) {
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

}  // namespace natkit::sip::sofia
