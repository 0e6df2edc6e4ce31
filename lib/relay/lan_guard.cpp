#include "natkit/relay/lan_guard.hpp"

#include <algorithm>
#include <utility>

namespace natkit::relay {

LanGuard::LanGuard(RangeSet lan, std::span<const HostAddress> host) : lan_(std::move(lan)) {
    for (const HostAddress& own : host) {
        const bool inside = std::ranges::any_of(
            host, [&](const HostAddress& other) { return other.index == own.index && lan_.contains(other.address); });
        // Nobody else's packets come by the loopback interface.
        if (!inside && own.index != 0 && own.interface != "lo" &&
            std::ranges::find(outside_, own.index) == outside_.end()) {
            outside_.push_back(own.index);
        }
    }
}

bool LanGuard::spoofed(const IpAddress& source, unsigned interface) const noexcept {
    return std::ranges::find(outside_, interface) != outside_.end() && lan_.contains(source);
}

}  // namespace natkit::relay
