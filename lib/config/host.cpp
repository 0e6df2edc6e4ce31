#include <algorithm>
#include <array>
#include <set>

#include "natkit/config/peer_listener.hpp"

namespace natkit::config {
namespace {

/// Of the default `nated` list, what a site's own network may use: 100.64/10 is a provider's (RFC 6598), 192.0.0/24 is
/// for translation inside a host (RFC 7335), and a link-local address says nothing about who is there.
bool is_site_private(const IpAddress& address) {
    static constexpr std::array<std::string_view, 2> others = {"100.64.0.0/10", "192.0.0.0/24"};
    static const RangeSet not_a_site = RangeSet::parse(others).value_or(RangeSet());
    static const RangeSet nated = nat::default_nated();
    return nated.contains(address) && !not_a_site.contains(address) && !address.is_link_local();
}

bool is_global(const IpAddress& address) {
    return !address.is_loopback() && !address.is_link_local() && !address.is_unspecified() && !address.is_multicast();
}

void add_connected_networks(RangeSet& lan, std::span<const HostAddress> host) {
    for (const HostAddress& one : host) {
        if (!is_site_private(one.address)) continue;
        const auto range = IpRange::parse(to_string(one.address) + "/" + std::to_string(one.prefix));
        if (range && std::ranges::find(lan.ranges(), *range) == lan.ranges().end()) lan.add(*range);
    }
}

/// The listeners with wildcards replaced by addresses; each once, in order.
std::vector<Listen> expand(const std::vector<Listen>& wanted, std::span<const HostAddress> host) {
    std::vector<Listen> result;
    std::set<Listen> seen;
    const auto add = [&](const Listen& one) {
        if (seen.insert(one).second) result.push_back(one);
    };
    for (const Listen& one : wanted) {
        if (!one.endpoint.address.is_unspecified()) {
            add(one);
            continue;
        }
        for (const HostAddress& own : host) {
            if (own.address.family() != one.endpoint.address.family() || !is_global(own.address)) continue;
            add({one.transport, {own.address, one.endpoint.port}});
        }
    }
    return result;
}

std::vector<Listen> default_listen(std::span<const HostAddress> host) {
    std::vector<Listen> wildcards;
    for (const IpAddress& any : {IpAddress(), IpAddress::v6({})}) {
        for (const Transport transport : {Transport::udp, Transport::tcp})
            wildcards.push_back({transport, {any, 5060}});
    }
    return expand(wildcards, host);
}

/// How many interfaces the listeners sit on. An address that has gone for the moment had its own, so that a reload
/// meanwhile does not take the host for one with a single interface.
std::size_t interfaces_of(const std::vector<Listen>& listen, std::span<const HostAddress> host) {
    std::set<std::string> names;
    for (const Listen& one : listen) {
        const auto own = std::ranges::find(host, one.endpoint.address, &HostAddress::address);
        names.insert(own != host.end() ? own->interface : to_string(one.endpoint.address));
    }
    return names.size();
}

void add_once(std::vector<IpAddress>& list, const IpAddress& address) {
    if (std::ranges::find(list, address) == list.end()) list.push_back(address);
}

/// Whether SIP or media is served on an address.
bool is_used(const Config& config, const IpAddress& address) {
    const auto in = [&](const std::vector<IpAddress>& list) { return std::ranges::find(list, address) != list.end(); };
    return in(config.media_proxy.lan_addresses) || in(config.media_proxy.wan_addresses) ||
           std::ranges::any_of(config.sip.listen, [&](const Listen& l) { return l.endpoint.address == address; });
}

/// Addresses that are shown to the outside as they are, though they mean nothing there: a host in a cloud, or behind a
/// router that forwards ports.
std::vector<IpAddress> unreachable_addresses(const Config& config) {
    const auto outside = [&](const IpAddress& address) {
        return side_of(address, config) == nat::Place::wan || !config.network.lan_given;
    };
    std::vector<IpAddress> listed;
    for (const Listen& one : config.sip.listen) add_once(listed, one.endpoint.address);
    const auto works = [&](const IpAddress& address) { return !is_site_private(advertised(address, config)); };
    // With a public address beside it, a private one is the LAN's.
    if (std::ranges::any_of(listed, works)) return {};
    for (const IpAddress& address : config.media_proxy.wan_addresses) add_once(listed, address);
    std::erase_if(listed, [&](const IpAddress& one) { return works(one) || !outside(one); });
    return listed;
}

std::vector<Error> host_warnings(const Config& config, std::span<const HostAddress> host, bool sip_wanted) {
    std::vector<Error> warnings;
    const auto warn = [&warnings](std::string message) {
        warnings.push_back({Errc::bad_config, "", std::move(message)});
    };
    if (config.sip.listen.empty() && sip_wanted) {
        warn("[sip] listen: no address yet: this host has no global address; each that comes will be listened on");
    }
    if (!sip_wanted && config.media_proxy.lan_addresses.empty() && config.media_proxy.wan_addresses.empty()) {
        warn("[media_proxy.addresses] lan, wan: with no SIP listener they cannot be told; write this host's addresses");
    }
    const MediaProxy& media = config.media_proxy;
    for (const auto& [key, addresses] :
         {std::pair("lan", &media.lan_addresses), std::pair("wan", &media.wan_addresses)}) {
        for (const IpAddress& address : *addresses) {
            if (std::ranges::find(host, address, &HostAddress::address) == host.end() && !address.is_loopback() &&
                !config.cluster.state) {
                warn("[media_proxy.addresses] " + std::string(key) + ": " + to_string(address) +
                     " is not an address of this host");
            }
        }
    }
    for (const IpAddress& address : unreachable_addresses(config)) {
        warn("[sip] listen: " + to_string(address) +
             " is a private address, and phones outside are told it as it is; write [sip] advertise = { \"" +
             to_string(address) + "\" = \"the public address that stands for it\" }, if there are any");
    }
    for (const auto& [bound, shown] : config.sip.advertise) {
        if (!is_used(config, bound)) warn("[sip] advertise: nothing listens on " + to_string(bound));
    }
    const bool registrar = sip_wanted && (!config.sip.domains.empty() || config.sip.routes.empty());
    const bool nobody = config.registrar.users.empty() && !config.registrar.open;
    if (registrar && nobody && config.network.lists.lan.empty()) {
        warn(
            "[registrar] nobody may register: there are no users, and no LAN whose phones may do without; write users, "
            "or [network] lan");
    } else if (!config.network.lan_trusted && nobody && registrar) {
        warn("[registrar] nobody may register: with a single interface being on the LAN grants nothing; write users");
    } else if (!config.network.lan_trusted && !config.registrar.open) {
        warn("[network] lan: with a single interface being on the LAN grants nothing; users must authenticate");
    }
    return warnings;
}

}  // namespace

nat::Place side_of(const IpAddress& address, const Config& config) noexcept {
    return config.network.lists.lan.contains(address) ? nat::Place::lan : nat::Place::wan;
}

IpAddress advertised(const IpAddress& bound, const Config& config) {
    const auto found = config.sip.advertise.find(bound);
    return found == config.sip.advertise.end() ? bound : found->second;
}

std::optional<Listen> peer_listener(const Config& config) {
    const auto own = std::ranges::find(config.cluster.peers, config.cluster.node, &ClusterPeer::node);
    if (own == config.cluster.peers.end()) return std::nullopt;
    return Listen{.transport = Transport::udp, .endpoint = own->listen};
}

bool wants_sip(const Config& written) noexcept {
    return !written.sip.listen_given || !written.sip.listen.empty();
}

bool encrypts(const Config& config) noexcept {
    const bool certified = !config.tls.certificate.empty() && !config.tls.key.empty();
    if (!config.web.listen || !certified || config.web.tls == WebTls::off) return false;
    return config.web.tls == WebTls::on || !config.web.listen->address.is_loopback();
}

std::vector<Error> apply_host(Config& config, std::span<const HostAddress> host) {
    const bool sip = wants_sip(config);
    const auto peers = peer_listener(config);
    if (peers) std::erase(config.sip.listen, *peers);  // where this is not the first time
    if (!config.network.lan_given) add_connected_networks(config.network.lists.lan, host);
    config.sip.listen = config.sip.listen_given ? expand(config.sip.listen, host) : default_listen(host);
    MediaProxy& media = config.media_proxy;
    const bool lan_given = !media.lan_addresses.empty();
    const bool wan_given = !media.wan_addresses.empty();
    for (const Listen& one : config.sip.listen) {
        const IpAddress& address = one.endpoint.address;
        const bool lan = side_of(address, config) == nat::Place::lan;
        if (!(lan ? lan_given : wan_given)) add_once(lan ? media.lan_addresses : media.wan_addresses, address);
    }
    config.network.lan_trusted =
        config.network.lists.lan.empty() || config.sip.listen.empty() || interfaces_of(config.sip.listen, host) != 1;
    auto warnings = host_warnings(config, host, sip);
    if (peers && sip) config.sip.listen.push_back(*peers);
    return warnings;
}

}  // namespace natkit::config
