#include "natkit/relay/target.hpp"

#include <algorithm>

namespace natkit::relay {
namespace {

bool holds(const std::vector<IpAddress>& list, const IpAddress& address) {
    return std::find(list.begin(), list.end(), address) != list.end();
}

const char* why_not(const Endpoint& target, nat::Place place, Side side, const Surroundings& around) {
    const IpAddress& address = target.address;
    if (holds(around.media, address) && around.ports.contains(target.port)) return "a media port of this relay";
    if (address.is_unspecified()) return "the unspecified address";
    if (address.is_multicast()) return "a multicast address";
    if (address.is_broadcast() || holds(around.broadcasts, address)) return "a broadcast address";
    const bool in_lan = around.networks.lan.contains(address);
    if (in_lan && place != nat::Place::lan) return "in the LAN, and the party is not";
    if (address.is_loopback()) return in_lan ? nullptr : "a loopback address";
    if (holds(around.own, address)) return "an address of this host";
    if (address.is_link_local()) return "a link-local address";
    if (place != nat::Place::lan && side == Side::wan && around.networks.nated.contains(address)) {
        return "a private address, and the party is reached by way of the WAN";
    }
    return nullptr;
}

}  // namespace

Result<void> check_target(const Endpoint& target, nat::Place place, Side side, const Surroundings& surroundings) {
    if (const char* reason = why_not(target, place, side, surroundings)) {
        return fail(Errc::refused, "nothing is relayed to " + to_string(target) + ": it is " + reason);
    }
    return {};
}

}  // namespace natkit::relay
