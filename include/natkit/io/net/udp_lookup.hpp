#pragma once

#include <cstdint>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/error.hpp"
#include "natkit/io/fd.hpp"

namespace natkit::io {

/// Tells whether somebody has a UDP port, without binding it: by NETLINK_SOCK_DIAG, which needs no privilege. A look
/// costs two system calls for a port and three for a pair, whatever there is of sockets. Not thread-safe.
class UdpLookup {
  public:
    /// Errc::system where the kernel has no udp_diag: found out by looking for a socket that is there.
    [[nodiscard]] static Result<UdpLookup> open();

    /// Whether a socket of any process in this network namespace would get what comes from a stranger for one of the
    /// `count` (1 or 2) ports from `first` on: bound to that address or to any, of IPv6 that hears IPv4 too. Not told
    /// are sockets that are connected (they are heard of before BPF sk_lookup, which takes nothing from them) and,
    /// unless its `interface` is given, those bound to one (SO_BINDTODEVICE). With BPF sk_lookup the kernel asks the
    /// programs first: a port that they steer is taken, by the socket that they steer it to.
    [[nodiscard]] Result<bool> taken(const Endpoint& first, unsigned count = 1, std::uint32_t interface = 0);

  private:
    explicit UdpLookup(Fd socket) : socket_(std::move(socket)) {}

    Fd socket_;
    std::uint32_t sequence_ = 0;  ///< of the last request: answers to an earlier one are told apart
};

}  // namespace natkit::io
