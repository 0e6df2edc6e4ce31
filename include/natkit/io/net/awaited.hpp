#pragma once

#include <cstdint>

#include "natkit/base/ip.hpp"
#include "natkit/io/fd.hpp"

/// Sockets of a standby: bound to an address that another host has at present, and silent until that comes here.
namespace natkit::io {

/// Whether this host must have an address that a socket is bound to.
enum class Presence : std::uint8_t {
    needed,
    awaited,  ///< it may come later (IP_FREEBIND, IPV6_FREEBIND)
};

/// Whether this host has the address now. From an IPv4 address that it does not have nothing is sent; from one of IPv6
/// Linux sends all the same, beside the host that has it, unless one looks first.
[[nodiscard]] bool is_here(const IpAddress& address);

/// Before bind().
[[nodiscard]] Result<void> set_presence(const Fd& socket, Family family, Presence presence);
[[nodiscard]] Presence presence_of(const Fd& socket, Family family) noexcept;

/// A deaf socket drops what comes, unanswered: its port is taken, so no ICMP message and no reset tells anybody that
/// nobody is there, and nothing waits in it. That goes for a listening TCP socket too: who connects tries again.
[[nodiscard]] Result<void> set_deaf(int socket, bool deaf);

}  // namespace natkit::io
