#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "natkit/base/endpoint.hpp"

namespace natkit::io {

/// A socket address of either family with its length.
struct SockAddr {
    sockaddr_storage storage{};
    socklen_t length = sizeof(sockaddr_storage);

    [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
    [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// Writes `endpoint` into `out` (at least sizeof(sockaddr_in6)) and returns its length.
inline socklen_t write_sockaddr(const Endpoint& endpoint, void* out) noexcept {
    const auto bytes = endpoint.address.bytes();
    if (endpoint.address.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(endpoint.port);
        std::memcpy(&in.sin_addr, bytes.data(), 4);
        std::memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(endpoint.port);
    std::memcpy(&in.sin6_addr, bytes.data(), 16);
    std::memcpy(out, &in, sizeof in);
    return sizeof in;
}

inline SockAddr to_sockaddr(const Endpoint& endpoint) noexcept {
    SockAddr address;
    address.length = write_sockaddr(endpoint, &address.storage);
    return address;
}

/// 0.0.0.0:0 for a family that is not IP.
inline Endpoint from_sockaddr(const void* address) noexcept {
    sa_family_t family{};
    std::memcpy(&family, address, sizeof family);
    if (family == AF_INET) {
        sockaddr_in in;
        std::memcpy(&in, address, sizeof in);
        return {IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
    }
    if (family == AF_INET6) {
        sockaddr_in6 in;
        std::memcpy(&in, address, sizeof in);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &in.sin6_addr, 16);
        return {IpAddress::v6(bytes), ntohs(in.sin6_port)};
    }
    return {};
}

}  // namespace natkit::io
