#include "natkit/engine/explain/anonymize/address_mask.hpp"

#include <algorithm>

#include "natkit/base/hash.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_entries = 65'536;
constexpr std::uint32_t benchmark_networks = 512;  ///< of /24 in 198.18.0.0/15
constexpr std::uint32_t most_networks = 3 + benchmark_networks;

using Octets = std::array<std::uint8_t, 4>;

std::uint32_t number(const Octets& octets) {
    return static_cast<std::uint32_t>(octets[0]) << 24 | static_cast<std::uint32_t>(octets[1]) << 16 |
           static_cast<std::uint32_t>(octets[2]) << 8 | octets[3];
}

bool is_private(const Octets& octets) {
    return octets[0] == 10 || (octets[0] == 172 && (octets[1] & 0xf0U) == 16) ||
           (octets[0] == 192 && octets[1] == 168) || (octets[0] == 100 && (octets[1] & 0xc0U) == 64) ||
           (octets[0] == 169 && octets[1] == 254);
}

/// The n-th /24 of those that no site has.
Octets public_network(std::uint32_t place) {
    switch (place) {
        case 0: return {203, 0, 113, 0};
        case 1: return {198, 51, 100, 0};
        case 2: return {192, 0, 2, 0};
        default: break;
    }
    place -= 3;
    return {198, static_cast<std::uint8_t>(18 + place / 256), static_cast<std::uint8_t>(place % 256), 0};
}

std::string text_of(std::span<const std::uint8_t> bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace

std::uint32_t AddressMask::place(const std::string& prefix, const std::string& part, std::uint32_t most) {
    const auto by_hash = [&] {
        return static_cast<std::uint32_t>(hash::mix(hash::fnv(hash::fnv(hash::fnv_basis, prefix), part)) % most);
    };
    const auto group = places_.find(prefix);
    if (group != places_.end()) {
        const auto known = group->second.known.find(part);
        if (known != group->second.known.end()) return known->second;
    }
    if (entries_ >= most_entries || (group != places_.end() && group->second.known.size() >= most)) return by_hash();
    auto& known = places_[prefix].known;
    const auto next = static_cast<std::uint32_t>(known.size());
    ++entries_;
    known.emplace(part, next);
    return next;
}

IpAddress AddressMask::mask4(const IpAddress& address) {
    Octets octets{};
    std::ranges::copy(address.bytes(), octets.begin());
    const std::string network = text_of(address.bytes().first(3));
    const auto flip = static_cast<std::uint8_t>(hash::mix(hash::fnv(hash::fnv_basis, network)));
    Octets masked{};
    if (!is_private(octets)) {
        masked = public_network(place("public", network, most_networks));
    } else {
        const std::string first = text_of(address.bytes().first(1));
        const std::string second = text_of(address.bytes().first(2));
        masked = octets;
        const std::string part(1, static_cast<char>(octets[1]));
        if (octets[0] == 10) masked[1] = static_cast<std::uint8_t>(place(first, part, 256));
        if (octets[0] == 172) masked[1] = static_cast<std::uint8_t>(16 + place(first, part, 16));
        if (octets[0] == 100) masked[1] = static_cast<std::uint8_t>(64 + place(first, part, 64));
        masked[2] = static_cast<std::uint8_t>(place(second, std::string(1, static_cast<char>(octets[2])), 256));
    }
    masked[3] = octets[3] ^ flip;
    return IpAddress::v4(number(masked));
}

IpAddress AddressMask::mask6(const IpAddress& address) {
    const auto bytes = address.bytes();
    std::array<std::uint8_t, 16> masked{};
    const bool local = address.is_link_local();
    const bool unique = (bytes[0] & 0xfeU) == 0xfc;
    const std::string site = text_of(bytes.first(6));
    const std::string network = text_of(bytes.first(8));
    const auto put16 = [&](std::size_t at, std::uint32_t value) {
        masked[at] = static_cast<std::uint8_t>(value >> 8);
        masked[at + 1] = static_cast<std::uint8_t>(value);
    };
    if (local) {
        masked[0] = 0xfe;
        masked[1] = 0x80;
    } else if (unique) {
        masked[0] = 0xfd;
        put16(4, place("unique", site, 0xffff));
        put16(6, place(site, network, 0xffff));
    } else {
        masked = {0x20, 0x01, 0x0d, 0xb8};
        put16(4, place("public6", site, 0xffff));
        put16(6, place(site, network, 0xffff));
    }
    put16(14, 1 + place(network, text_of(bytes.last(8)), 0xfffe));
    return IpAddress::v6(masked);
}

IpAddress AddressMask::mask(const IpAddress& address) {
    const bool says_nothing =
        address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast();
    if (says_nothing) return address;
    return address.is_v4() ? mask4(address) : mask6(address);
}

}  // namespace natkit::explain
