#include "presence.hpp"

#include <algorithm>
#include <set>

namespace natkit::supervise {

std::vector<Presence::Event> Presence::look(std::span<const config::Listen> wanted, std::span<const HostAddress> host) {
    std::vector<Event> events;
    std::map<IpAddress, Known> known;
    for (const config::Listen& listen : wanted) {
        const IpAddress& address = listen.endpoint.address;
        const auto [at, fresh] = known.try_emplace(address);
        if (!fresh) continue;
        const auto before = known_.find(address);
        const bool met = before != known_.end();
        if (met) at->second = before->second;
        const auto own =
            std::ranges::find_if(host, [&](const HostAddress& one) { return one.up && one.address == address; });
        const bool here = own != host.end();
        if (here) at->second.interface = own->interface;
        if (here && met && !at->second.here && at->second.ever) events.push_back({address, Change::back});
        if (!here && !met) events.push_back({address, Change::awaited});
        if (!here && met && at->second.here) events.push_back({address, Change::left});
        at->second.here = here;
        at->second.ever = at->second.ever || here;
    }
    known_ = std::move(known);
    return events;
}

bool Presence::here(const IpAddress& address) const noexcept {
    const auto found = known_.find(address);
    return found != known_.end() && found->second.here;
}

std::vector<config::Listen> Presence::with_gone(std::vector<config::Listen> now, std::span<const config::Listen> before,
                                                std::span<const HostAddress> host) const {
    const auto replaced = [&](const IpAddress& address) {
        const auto known = known_.find(address);
        if (known == known_.end()) return true;
        return std::ranges::any_of(host, [&](const HostAddress& one) {
            return one.interface == known->second.interface && one.address.family() == address.family() &&
                   std::ranges::any_of(now, [&](const auto& l) { return l.endpoint.address == one.address; });
        });
    };
    std::vector<config::Listen> gone;
    std::set<IpAddress> addresses;
    // Those that were there until now stand before those that had gone already.
    for (const config::Listen& one : before) {
        const IpAddress& address = one.endpoint.address;
        if (std::ranges::find(now, one) != now.end() || replaced(address)) continue;
        if (!addresses.contains(address) && addresses.size() == most_gone) continue;
        addresses.insert(address);
        gone.push_back(one);
    }
    now.insert(now.end(), gone.begin(), gone.end());
    return now;
}

}  // namespace natkit::supervise
