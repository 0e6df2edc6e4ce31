#include "natkit/engine/edge/settings.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"

namespace natkit::edge {

const Listener* Settings::find(sip::Transport transport, const Endpoint& bound) const noexcept {
    const auto found = std::ranges::find_if(
        listeners, [&](const Listener& l) { return l.transport == transport && l.bound == bound; });
    return found == listeners.end() ? nullptr : &*found;
}

const Listener* Settings::find(Side side, const IpAddress& target, sip::Transport transport) const noexcept {
    const Listener* first = nullptr;
    for (const Listener& one : listeners) {
        if (one.peers || one.side != side || one.transport != transport) continue;
        if (one.bound.address.family() != target.family()) continue;
        if (one.here && one.network && one.network->contains(target)) return &one;
        if (first == nullptr || (one.here && !first->here)) first = &one;
    }
    return first;
}

void Settings::set_networks(std::span<const HostAddress> host) {
    for (Listener& one : listeners) {
        const auto own = std::ranges::find(host, one.bound.address, &HostAddress::address);
        one.here = own != host.end() && own->up;
        if (own == host.end()) continue;
        const auto range = IpRange::parse(to_string(own->address) + "/" + std::to_string(own->prefix));
        if (range) one.network = *range;
    }
}

bool Settings::is_own(const sip::Uri& uri) const {
    if (std::ranges::find(domains, text::lower(uri.host)) != domains.end()) return true;
    const auto address = uri.address();
    if (!address) return false;
    const bool tls = uri.scheme == "sips" || text::iequals(uri.params.get("transport").value_or(""), "tls");
    return is_own(Endpoint{.address = *address, .port = uri.port.value_or(tls ? 5061 : 5060)});
}

bool Settings::is_own(const Endpoint& endpoint) const noexcept {
    return std::ranges::any_of(listeners,
                               [&](const Listener& l) { return l.bound == endpoint || l.advertised == endpoint; });
}

const Server* Settings::server_of(const sip::Uri& uri) const noexcept {
    const auto found =
        std::ranges::find_if(servers, [&](const Server& one) { return text::iequals(one.domain, uri.host); });
    return found == servers.end() ? nullptr : &*found;
}

bool Settings::is_own_address(const IpAddress& address) const noexcept {
    return std::ranges::any_of(
        listeners, [&](const Listener& l) { return l.bound.address == address || l.advertised.address == address; });
}

bool Settings::is_name_of(const sip::Uri& uri, std::string_view username) const {
    return username == uri.user || username == address_of_record(uri);
}

std::string Settings::address_of_record(const sip::Uri& uri) const {
    const std::string host = uri.address() && !domains.empty() ? domains.front() : text::lower(uri.host);
    return uri.user + "@" + host;
}

}  // namespace natkit::edge
