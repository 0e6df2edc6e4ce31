#pragma once

#include "users.hpp"

/// Servers beside the edge in a World: a registrar on the LAN that is not ours, a trunk on the WAN.
namespace natkit::edge::test {

inline const Phone trunk{"trunk", "203.0.113.90:5060", flow("udp:203.0.113.10:5060-203.0.113.90:5060"), Side::wan};
inline const Phone server{"pbx", "192.168.10.50:5060", flow("udp:192.168.10.1:5060-192.168.10.50:5060"), Side::lan};

inline Settings with_servers(PathMode mode = PathMode::automatic) {
    Settings result = closed();
    result.servers = {
        {.domain = "pbx.example.net", .to = "sip:192.168.10.50:5060", .trunk = false, .path = mode},
        {.domain = "carrier.example", .to = "sip:203.0.113.90", .trunk = true, .path = PathMode::automatic}};
    return result;
}

}  // namespace natkit::edge::test
