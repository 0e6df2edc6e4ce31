#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "natkit/base/endpoint.hpp"

namespace natkit::ng {

/// Where requests of a proxy come in: "udp:127.0.0.1:2223", "tcp:…", "unix:/path", "http:…".
struct Listen {
    enum class Kind : std::uint8_t { udp, tcp, unix_socket, http } kind{};
    Endpoint endpoint;
    std::string path;  ///< of a Unix socket, absolute

    [[nodiscard]] static Result<Listen> parse(std::string_view text);
    /// Whether only processes of this host can reach it.
    [[nodiscard]] bool is_local() const noexcept { return kind == Kind::unix_socket || endpoint.address.is_loopback(); }

    friend auto operator<=>(const Listen&, const Listen&) = default;
};
[[nodiscard]] std::string to_string(const Listen& listen);

}  // namespace natkit::ng
