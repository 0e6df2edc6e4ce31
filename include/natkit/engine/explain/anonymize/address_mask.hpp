#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "natkit/base/ip.hpp"

namespace natkit::explain {

/// Other addresses in place of the real ones, always the same for the same: private ones (RFC 1918, RFC 6598, RFC 4193,
/// link-local) stay in their range, public ones become those of documentation (RFC 5737, RFC 3849) and, where these
/// are not enough, of benchmarking (RFC 2544). Addresses of one network stay in one: octet by octet in IPv4, in the
/// last one bit by bit; by /48, /64 and host in IPv6. Loopback, multicast, broadcast and unspecified stay. Bounded:
/// what comes after 65,536 networks and hosts shares the places of others.
class AddressMask {
  public:
    [[nodiscard]] IpAddress mask(const IpAddress& address);

  private:
    [[nodiscard]] IpAddress mask4(const IpAddress& address);
    [[nodiscard]] IpAddress mask6(const IpAddress& address);
    /// The number of `part` among those behind the same prefix, from 0 in the order in which they come.
    [[nodiscard]] std::uint32_t place(const std::string& prefix, const std::string& part, std::uint32_t most);

    struct Places {
        std::map<std::string, std::uint32_t> known;
    };
    std::map<std::string, Places> places_;  ///< by prefix
    std::size_t entries_ = 0;
};

}  // namespace natkit::explain
