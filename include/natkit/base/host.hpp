#pragma once

#include <cstdint>
#include <string>

#include "natkit/base/ip.hpp"

namespace natkit {

/// A side of this host: towards the LAN, or towards everything else.
enum class Side : std::uint8_t { lan, wan };

[[nodiscard]] constexpr const char* to_string(Side side) noexcept {
    return side == Side::lan ? "lan" : "wan";
}

/// One address of this host, as the system lists it. Plain value; read by io::host_addresses().
struct HostAddress {
    std::string interface;  ///< "eth0"
    unsigned index = 0;     ///< the interface's number
    IpAddress address;
    unsigned prefix = 0;  ///< bits of the directly connected network
    bool up = true;       ///< whether the interface is

    friend bool operator==(const HostAddress&, const HostAddress&) = default;
};

}  // namespace natkit
