#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "natkit/base/ip.hpp"

/// Numbers as they lie in packets. Who asks for them has looked that they are there.
namespace natkit::capture {

using Bytes = std::span<const std::uint8_t>;

constexpr unsigned most_levels = 8;  ///< of wrappings in wrappings

enum IpProtocol : std::uint8_t {
    ip_hop_options = 0,
    ip_icmp = 1,
    ip_in_ip = 4,
    ip_tcp = 6,
    ip_udp = 17,
    ip_ipv6 = 41,
    ip_routing = 43,
    ip_fragment = 44,
    ip_gre = 47,
    ip_authentication = 51,
    ip_icmp6 = 58,
    ip_destination_options = 60,
};

[[nodiscard]] inline std::uint16_t get16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

[[nodiscard]] inline std::uint32_t get32(Bytes bytes, std::size_t at) {
    return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}

[[nodiscard]] inline IpAddress address6(Bytes bytes, std::size_t at) {
    std::array<std::uint8_t, 16> raw{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), raw.size(), raw.begin());
    return IpAddress::v6(raw);
}

}  // namespace natkit::capture
