#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What natkit-web reads of a request by itself. Pure and total.
namespace natkit::web {

using Fields = std::map<std::string, std::string, std::less<>>;

/// An application/x-www-form-urlencoded body or query: at most 64 fields, the first of a name counts. Nothing where an
/// escape is broken, or there are more.
[[nodiscard]] std::optional<Fields> parse_form(std::string_view text);

/// The value of a cookie (RFC 6265) in a Cookie header, the first of that name; empty where there is none.
[[nodiscard]] std::string_view cookie(std::string_view header, std::string_view name) noexcept;

/// The bytes of the part of that name in a multipart/form-data body (RFC 7578), whose header is `content_type`; the
/// first of that name. Nothing where there is none, or the body has no end.
[[nodiscard]] std::optional<std::string_view> part_of(std::string_view body, std::string_view content_type,
                                                      std::string_view name);

/// Text as it can stand in HTML, in attributes too.
[[nodiscard]] std::string escaped(std::string_view text);

/// Whether a Host header is one that this program answers to: an address (with any port: an address cannot be rebound
/// by DNS), localhost, or one of `names` (lower case).
[[nodiscard]] bool host_allowed(std::string_view host, const std::vector<std::string>& names);

/// Whether an Origin header names the very place that Host names: "http://127.0.0.1:8080". "null" never does.
[[nodiscard]] bool same_origin(std::string_view origin, std::string_view host, bool encrypted);

/// What a request needs to be heard.
enum class Access : unsigned char {
    anybody,  ///< shows nothing of natkit
    session,  ///< somebody has logged in
    change,   ///< and the request comes from his own page (CSRF token), and pages may change something
};

/// What a request asks for.
enum class Route : unsigned char {
    app,
    asset,
    login_page,
    login,
    logout,
    session,
    overview,
    events,
    clients,
    calls,
    call,
    path_picture,
    log,
    settings,
    versions,
    preview,
    apply,
    confirm,
    undo,
    restore,
    hang_up,
    remove_client,
    doctor,
};

struct Target {
    Route route{};
    Access access{};
    std::size_t most_bytes = 0;  ///< of its body
};

/// Nothing for what is not there, and for another method than it has. Paths are compared byte for byte: there is no
/// file behind any of them. An asset's name is looked up by whoever has them.
[[nodiscard]] std::optional<Target> find_target(std::string_view method, std::string_view path);

}  // namespace natkit::web
