#pragma once

#include <cstdint>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/host.hpp"
#include "natkit/nat/classify.hpp"
#include "natkit/nat/networks.hpp"
#include "natkit/relay/ports.hpp"

namespace natkit::relay {

/// On which a leg's local address lies.
using natkit::Side;

/// What the relay knows of the host it runs on.
struct Surroundings {
    nat::Networks networks;
    std::vector<IpAddress> own;         ///< every address of the host
    std::vector<IpAddress> broadcasts;  ///< of the networks it is connected to
    std::vector<IpAddress> media;       ///< addresses where media ports are bound, and their advertised ones
    PortRange ports;

    friend bool operator==(const Surroundings&, const Surroundings&) = default;
};

/// Refuses (Errc::refused, with the reason) to relay to an address where no party can be: loopback, unspecified,
/// multicast, broadcast, link-local, the host's own; and, for a party that is not on the LAN, an address in `lan`, or
/// one in `nated` by way of the WAN side. Otherwise the relay would carry strangers to what only the host itself or the
/// LAN may reach (CVE-2020-26262). Loopback that is listed in `lan` is let through, for trials on one machine; never a
/// media port of our own, which would make a loop.
[[nodiscard]] Result<void> check_target(const Endpoint& target, nat::Place place, Side side,
                                        const Surroundings& surroundings);

}  // namespace natkit::relay
