#pragma once

#include <string>

#include "natkit/base/ip.hpp"

namespace natkit {

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
