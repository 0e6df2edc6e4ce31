#pragma once

#include "natkit/base/ip.hpp"

namespace natkit::nat {

/// The three lists of the guide: what the operator says about the addresses around this host.
struct Networks {
    RangeSet lan;          ///< "LAN IPs": clients on this side of the host
    RangeSet nated;        ///< "NATed IP Addresses": addresses that only exist behind somebody's NAT
    RangeSet nat_servers;  ///< "NAT Server IP Addresses": whoever comes from here is behind a NAT; one range, one site

    friend bool operator==(const Networks&, const Networks&) = default;
};

/// What RFC 6890 calls not global and a phone may call itself by: 10/8, 172.16/12, 192.168/16 (RFC 1918), 100.64/10
/// (RFC 6598), 192.0.0/24 (464XLAT and DS-Lite: RFC 7335, RFC 6333), 169.254/16 (RFC 3927), fc00::/7 (RFC 4193) and
/// fe80::/10 (RFC 4291).
[[nodiscard]] RangeSet default_nated();

/// What the world sees of a party: its visible address, or the whole `nat_servers` range that holds it (a NAT with
/// several addresses is one site). Two parties at the same site can reach each other without leaving it.
[[nodiscard]] IpRange site_of(const IpAddress& visible, const Networks& networks) noexcept;

/// Equal, or inside one `nat_servers` range (design: "the same"). For signalling and media alike.
[[nodiscard]] bool same_site(const IpAddress& a, const IpAddress& b, const Networks& networks) noexcept;

/// Whom an address stands for where limits are counted by source: an IPv4 address for itself, an IPv6 address for its
/// /64, the least that a site is given (RFC 6177) and all of which one host can use. The first address of the /64.
[[nodiscard]] IpAddress source_of(const IpAddress& address) noexcept;

}  // namespace natkit::nat
