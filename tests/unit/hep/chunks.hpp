#pragma once

#include <cstdint>

#include "../capture/octets.hpp"

/// HEP packets, put together chunk by chunk.
namespace natkit::test {

inline Octets number(std::uint64_t value, std::size_t bytes) {
    Octets octets;
    for (std::size_t i = bytes; i-- > 0;) octets.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return octets;
}

inline Octets chunk(unsigned type, const Octets& value, unsigned vendor = 0) {
    return number(vendor, 2) + number(type, 2) + number(6 + value.size(), 2) + value;
}

inline Octets packet(const Octets& chunks) {
    return text("HEP3") + number(6 + chunks.size(), 2) + chunks;
}

inline Octets ports() {
    return chunk(7, number(5060, 2)) + chunk(8, number(5062, 2));
}

inline Octets addresses() {
    return chunk(3, {192, 0, 2, 1}) + chunk(4, {192, 0, 2, 2});
}

/// IPv6 2001:db8::`last`.
inline Octets address6(std::uint8_t last) {
    Octets octets(16, 0);
    octets[0] = 0x20, octets[1] = 0x01, octets[2] = 0x0d, octets[3] = 0xb8, octets[15] = last;
    return octets;
}

}  // namespace natkit::test
