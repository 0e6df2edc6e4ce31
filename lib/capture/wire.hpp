#pragma once

#include <cstdint>
#include <span>

#include "natkit/base/octets.hpp"

/// What lies in captured packets.
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

}  // namespace natkit::capture
