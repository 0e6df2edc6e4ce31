#include "values.hpp"

#include <algorithm>

#include "natkit/base/time.hpp"

namespace natkit::config {
namespace {

std::string quoted(std::string_view text) {
    return "'" + text::printable(text, 80) + "'";
}

/// RFC 2474, RFC 2597, RFC 3246: the six bits of a DSCP name.
struct Dscp {
    std::string_view name;
    std::uint8_t bits;
};
constexpr Dscp dscp_names[] = {
    {"cs0", 0},   {"cs1", 8},   {"cs2", 16},  {"cs3", 24},  {"cs4", 32},  {"cs5", 40},  {"cs6", 48},  {"cs7", 56},
    {"af11", 10}, {"af12", 12}, {"af13", 14}, {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28},
    {"af33", 30}, {"af41", 34}, {"af42", 36}, {"af43", 38}, {"ef", 46},   {"va", 44},   {"le", 1},
};

bool is_label_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

const char* to_string(PingMethod method) noexcept {
    return word_of(ping_methods, method).data();
}

Result<Listen> Listen::parse(std::string_view text) {
    const std::size_t colon = text.find(':');
    const auto transport = word_parser(transports, "transport")(text.substr(0, colon));
    if (colon == std::string_view::npos || !transport) {
        return fail(Errc::bad_config, "no transport in " + quoted(text));
    }
    const std::uint16_t port = *transport == Transport::tls ? 5061 : 5060;
    auto endpoint = Endpoint::parse(text.substr(colon + 1), port);
    if (!endpoint || endpoint->port == 0) return fail(Errc::bad_config, "not an address and port: " + quoted(text));
    return Listen{.transport = *transport, .endpoint = *endpoint};
}

std::string to_string(const Listen& listen) {
    return std::string(to_string(listen.transport)) + ":" + to_string(listen.endpoint);
}

Result<std::string> parse_domain(std::string_view text) {
    const std::string name = text::lower(text);
    bool good = !name.empty() && name.size() <= 253;
    for (const std::string_view label : text::split(name, '.')) {
        good = good && !label.empty() && label.size() <= 63 && std::ranges::all_of(label, is_label_char) &&
               label.front() != '-' && label.back() != '-';
    }
    if (!good) return fail(Errc::bad_config, "not a domain: " + quoted(text));
    return name;
}

Result<HostAndPort> parse_host_and_port(std::string_view text, std::uint16_t default_port) {
    if (const auto endpoint = Endpoint::parse(text, default_port); endpoint && endpoint->port != 0) {
        return HostAndPort{.host = to_string(endpoint->address), .port = endpoint->port};
    }
    const std::size_t colon = text.find(':');
    const auto port =
        colon == std::string_view::npos ? default_port : text::parse_number(text.substr(colon + 1), 65535);
    const auto name = parse_domain(text.substr(0, colon));
    // An address with a slip ("10.0.0.300") is a well-formed name; nobody means it as one.
    const bool numeric = name && name->find_first_not_of("0123456789.") == std::string::npos;
    if (!name || numeric || port.value_or(0) == 0)
        return fail(Errc::bad_config, "not a host and port: " + quoted(text));
    return HostAndPort{.host = *name, .port = static_cast<std::uint16_t>(*port)};
}

std::string host_and_port(const std::string& host, std::uint16_t port) {
    const bool six = host.find(':') != std::string::npos;
    return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<PortRange> parse_ports(std::string_view text) {
    const std::size_t dash = text.find('-');
    if (dash != std::string_view::npos) {
        const auto first = text::parse_number(text::trim(text.substr(0, dash)), 65535);
        const auto last = text::parse_number(text::trim(text.substr(dash + 1)), 65535);
        if (first && last) {
            if (*first < 1024) return fail(Errc::bad_config, "below 1024: " + quoted(text));
            const auto even = *first + *first % 2;
            if (even + 1 > *last) return fail(Errc::bad_config, "holds no pair of ports: " + quoted(text));
            return PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
        }
    }
    return fail(Errc::bad_config, "not a range of ports: " + quoted(text));
}

Result<std::string> parse_route_target(std::string_view text) {
    std::string_view rest = text;
    if (text::istarts_with(rest, "sip:")) {
        rest.remove_prefix(4);
    } else if (text::istarts_with(rest, "sips:")) {
        rest.remove_prefix(5);
    } else {
        return fail(Errc::bad_config, "not a SIP URI: " + quoted(text));
    }
    const std::string_view host = rest.substr(0, rest.find_first_of(";?"));
    const bool visible = std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    if (!visible || text.find_first_of("<>\"") != std::string_view::npos) {
        return fail(Errc::bad_config, "not a SIP URI: " + quoted(text));
    }
    if (Endpoint::parse(host, 5060) || parse_domain(host.substr(0, host.rfind(':')))) {
        const std::size_t colon = host.rfind(':');
        const bool name_with_port = !Endpoint::parse(host, 5060) && colon != std::string_view::npos;
        if (!name_with_port || text::parse_number(host.substr(colon + 1), 65535).value_or(0) != 0) {
            return std::string(text);
        }
    }
    return fail(Errc::bad_config, "no host in the SIP URI " + quoted(text));
}

Result<RelayFor> parse_relay_for(std::string_view text) {
    if (auto range = IpRange::parse(text)) return RelayFor(*range);
    auto domain = parse_domain(text);
    // An address with a slip ("10.0.0.300") is a well-formed name; nobody means it as one.
    const bool numeric = text.find_first_not_of("0123456789./-:") == std::string_view::npos;
    if (!domain || numeric) return fail(Errc::bad_config, "neither a range nor a domain: " + quoted(text));
    return RelayFor(std::move(*domain));
}

Result<std::optional<Milliseconds>> parse_interval(std::string_view text) {
    if (text == "off") return std::optional<Milliseconds>();
    const auto duration = parse_duration(text);
    if (!duration) return fail(Errc::bad_config, "not a time: " + quoted(text));
    return std::optional<Milliseconds>(*duration);
}

Result<std::optional<std::uint8_t>> parse_tos(std::string_view text) {
    if (text == "os-default") return std::optional<std::uint8_t>();
    if (const auto number = text::parse_number(text, 255)) {
        return std::optional<std::uint8_t>(static_cast<std::uint8_t>(*number));
    }
    for (const Dscp& dscp : dscp_names) {
        if (text::iequals(dscp.name, text)) {
            return std::optional<std::uint8_t>(static_cast<std::uint8_t>(dscp.bits << 2));
        }
    }
    return fail(Errc::bad_config, "not a TOS value: " + quoted(text));
}

}  // namespace natkit::config
