#include "requests.hpp"

#include <algorithm>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/text.hpp"

namespace natkit::web {
namespace {

constexpr std::size_t most_fields = 64;

std::optional<std::string> unescaped(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i] == '+' ? ' ' : text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const auto byte = text::parse_hex(text::lower(text.substr(i + 1, 2)));
        if (!byte) return std::nullopt;
        result += static_cast<char>(*byte);
        i += 2;
    }
    return result;
}

}  // namespace

std::optional<Fields> parse_form(std::string_view text) {
    Fields fields;
    if (text.empty()) return fields;
    for (const std::string_view pair : text::split(text, '&')) {
        const std::size_t equals = std::min(pair.find('='), pair.size());
        auto name = unescaped(pair.substr(0, equals));
        auto value = unescaped(equals < pair.size() ? pair.substr(equals + 1) : std::string_view());
        if (!name || !value) return std::nullopt;
        fields.try_emplace(std::move(*name), std::move(*value));
        if (fields.size() > most_fields) return std::nullopt;
    }
    return fields;
}

std::string_view cookie(std::string_view header, std::string_view name) noexcept {
    while (!header.empty()) {
        const std::size_t end = std::min(header.find(';'), header.size());
        const std::string_view pair = text::trim(header.substr(0, end));
        if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
            return pair.substr(name.size() + 1);
        }
        header.remove_prefix(std::min(end + 1, header.size()));
    }
    return {};
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&': result += "&amp;"; break;
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '"': result += "&quot;"; break;
            case '\'': result += "&#39;"; break;
            default: result += c;
        }
    }
    return result;
}

bool host_allowed(std::string_view host, const std::vector<std::string>& names) {
    if (host.empty() || host.size() > 300) return false;
    // An IPv6 address stands in brackets here (RFC 9112 section 3.2).
    if (host.front() == '[' ? Endpoint::parse(host, 80).has_value() : IpAddress::parse(host).has_value()) return true;
    std::string_view name = host;
    if (const std::size_t colon = host.rfind(':'); colon != std::string_view::npos) {
        if (!text::parse_number(host.substr(colon + 1), 65535)) return false;
        name = host.substr(0, colon);
    }
    if (name.find(':') != std::string_view::npos) return false;
    if (IpAddress::parse(name)) return true;
    if (name.ends_with('.')) name.remove_suffix(1);
    const std::string lower = text::lower(name);
    return lower == "localhost" || std::ranges::find(names, lower) != names.end();
}

bool same_origin(std::string_view origin, std::string_view host, bool encrypted) {
    const std::string_view scheme = encrypted ? "https://" : "http://";
    // A proxy in front may speak TLS for a program that listens on this host alone.
    for (const std::string_view one : {scheme, std::string_view("https://")}) {
        if (origin.starts_with(one) && !host.empty() && text::iequals(origin.substr(one.size()), host)) return true;
    }
    return false;
}

std::optional<std::string_view> part_of(std::string_view body, std::string_view content_type, std::string_view name) {
    const std::size_t at = content_type.find("boundary=");
    if (at == std::string_view::npos) return std::nullopt;
    std::string_view boundary = content_type.substr(at + 9);
    boundary = boundary.substr(0, boundary.find(';'));
    if (boundary.size() >= 2 && boundary.front() == '"') boundary = boundary.substr(1, boundary.size() - 2);
    if (boundary.empty() || boundary.size() > 70) return std::nullopt;
    const std::string mark = "--" + std::string(boundary);
    const std::string wanted = "name=\"" + std::string(name) + "\"";
    std::size_t begin = body.find(mark);
    while (begin != std::string_view::npos) {
        begin += mark.size();
        const std::size_t head_end = body.find("\r\n\r\n", begin);
        const std::size_t end = head_end == std::string_view::npos ? head_end : body.find("\r\n" + mark, head_end + 2);
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view head = body.substr(begin, head_end - begin);
        if (head.find(wanted) != std::string_view::npos) {
            const std::size_t from = std::min(head_end + 4, end);
            return body.substr(from, end - from);
        }
        begin = end + 2;
    }
    return std::nullopt;
}

}  // namespace natkit::web
