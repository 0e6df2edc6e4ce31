#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "natkit/base/ip.hpp"

namespace natkit {

/// An address and a port: "203.0.113.9:5060" or "[2001:db8::1]:5060". Regular value.
struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;

    /// Address and port; IPv6 in brackets. With `default_port` (not 0) the port may be missing, and IPv6 may then stand
    /// without brackets.
    [[nodiscard]] static Result<Endpoint> parse(std::string_view text, std::uint16_t default_port = 0);

    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

[[nodiscard]] std::string to_string(const Endpoint& endpoint);
/// Writes what to_string() says to `out`, which has room for `endpoint_chars`; returns the end of it.
inline constexpr std::size_t endpoint_chars = address_chars + 8;
[[nodiscard]] char* write(char* out, const Endpoint& endpoint) noexcept;

/// For unordered containers.
struct EndpointHash {
    [[nodiscard]] std::size_t operator()(const Endpoint& endpoint) const noexcept;
};

}  // namespace natkit
