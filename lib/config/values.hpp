#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "natkit/base/text.hpp"
#include "natkit/config/config.hpp"

/// How single values are written. Each function is pure and total.
namespace natkit::config {

using natkit::to_string;  // of durations and addresses, beside this namespace's own

/// A DNS name of letters, digits, "-", "_" and dots, at most 253 bytes; given back in lower case.
[[nodiscard]] Result<std::string> parse_domain(std::string_view text);

/// "homer.example.com:9060", "10.0.0.5", "[2001:db8::5]:6379": a server that others run.
struct HostAndPort {
    std::string host;  ///< lower case: a name, or an address as to_string() writes it
    std::uint16_t port = 0;
};
[[nodiscard]] Result<HostAndPort> parse_host_and_port(std::string_view text, std::uint16_t default_port);
[[nodiscard]] std::string host_and_port(const std::string& host, std::uint16_t port);

/// "16384-32767": an even first port, at least one pair.
[[nodiscard]] Result<PortRange> parse_ports(std::string_view text);

/// A "sip:" or "sips:" URI with a host.
[[nodiscard]] Result<std::string> parse_route_target(std::string_view text);

/// One entry of relay_for: a range of addresses or a domain.
using RelayFor = std::variant<IpRange, std::string>;
[[nodiscard]] Result<RelayFor> parse_relay_for(std::string_view text);

/// "off" gives nothing.
[[nodiscard]] Result<std::optional<Milliseconds>> parse_interval(std::string_view text);

/// One table for the words of each enum: what is read is what is printed.
template <class E>
struct Word {
    std::string_view word;
    E value;
};
inline constexpr Word<Transport> transports[] = {
    {"udp", Transport::udp}, {"tcp", Transport::tcp}, {"tls", Transport::tls}};
inline constexpr Word<RouteKind> route_kinds[] = {{"home", RouteKind::home}, {"trunk", RouteKind::trunk}};
inline constexpr Word<PathMode> path_modes[] = {
    {"auto", PathMode::automatic}, {"path", PathMode::path}, {"contact", PathMode::contact}};
inline constexpr Word<nat::SameNat> same_nat_policies[] = {
    {"never", nat::SameNat::never}, {"nat-sites", nat::SameNat::nat_sites}, {"always", nat::SameNat::always}};
inline constexpr Word<FastPathChoice> fast_paths[] = {{"auto", FastPathChoice::automatic},
                                                      {"off", FastPathChoice::off}};
inline constexpr Word<ReceiveChoice> receives[] = {
    {"auto", ReceiveChoice::automatic}, {"sockets", ReceiveChoice::sockets}, {"steered", ReceiveChoice::steered}};
inline constexpr Word<PingMethod> ping_methods[] = {{"crlf", PingMethod::crlf}, {"options", PingMethod::options}};
inline constexpr Word<WebTls> web_tls[] = {{"auto", WebTls::automatic}, {"on", WebTls::on}, {"off", WebTls::off}};
inline constexpr Word<LogFormat> log_formats[] = {{"text", LogFormat::text}, {"json", LogFormat::json}};

/// The parse function of a word table: "not one of these: 'x'".
template <class E, std::size_t N>
[[nodiscard]] auto word_parser(const Word<E> (&words)[N], std::string_view what) {
    return [&words, what](std::string_view text) -> Result<E> {
        for (const Word<E>& entry : words) {
            if (entry.word == text) return entry.value;
        }
        return fail(Errc::bad_config, "not a " + std::string(what) + ": '" + text::printable(text, 80) + "'");
    };
}

/// "write "never", "nat-sites" or "always"".
template <class E, std::size_t N>
[[nodiscard]] std::string choices(const Word<E> (&words)[N]) {
    std::string text = "write ";
    for (std::size_t i = 0; i < N; ++i) {
        if (i > 0) text += i + 1 == N ? " or " : ", ";
        text += '"';
        text += words[i].word;
        text += '"';
    }
    return text;
}

template <class E, std::size_t N>
[[nodiscard]] std::string_view word_of(const Word<E> (&words)[N], E value) noexcept {
    for (const Word<E>& entry : words) {
        if (entry.value == value) return entry.word;
    }
    return {};
}

}  // namespace natkit::config
