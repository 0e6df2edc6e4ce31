#pragma once

#include <span>
#include <vector>

#include "natkit/base/host.hpp"
#include "natkit/base/ip.hpp"

namespace natkit::relay {

/// Which packets say that they come from the LAN and do not: their source is of the LAN, and they came by an interface
/// of this host that has no address of the LAN. The reverse path filter of the kernel does not see all of them, as
/// packets for a connected socket go past it. Pure.
class LanGuard {
  public:
    LanGuard() = default;
    LanGuard(RangeSet lan, std::span<const HostAddress> host);

    /// `interface`: 0, or one that is not known, says nothing.
    [[nodiscard]] bool spoofed(const IpAddress& source, unsigned interface) const noexcept;

  private:
    RangeSet lan_;
    std::vector<unsigned> outside_;  ///< interfaces without an address of the LAN
};

}  // namespace natkit::relay
