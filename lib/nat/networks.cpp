#include "natkit/nat/networks.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace natkit::nat {

RangeSet default_nated() {
    static constexpr std::array<std::string_view, 8> ranges = {"10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16",
                                                               "100.64.0.0/10", "192.0.0.0/24",  "169.254.0.0/16",
                                                               "fc00::/7",      "fe80::/10"};
    return RangeSet::parse(ranges).value();
}

IpRange site_of(const IpAddress& visible, const Networks& networks) noexcept {
    const IpRange* range = networks.nat_servers.find(visible);
    return range != nullptr ? *range : IpRange::single(visible);
}

bool same_site(const IpAddress& a, const IpAddress& b, const Networks& networks) noexcept {
    return a == b || site_of(a, networks).contains(b);
}

IpAddress source_of(const IpAddress& address) noexcept {
    if (address.is_v4()) return address;
    std::array<std::uint8_t, 16> network{};
    std::ranges::copy(address.bytes().first(8), network.begin());
    return IpAddress::v6(network);
}

}  // namespace natkit::nat
