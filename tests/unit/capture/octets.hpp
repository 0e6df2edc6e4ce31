#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace natkit::test {

/// Frames and packets are put together of these by +.
struct Octets : std::vector<std::uint8_t> {
    using vector::vector;
};

inline Octets operator+(Octets a, const Octets& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

inline Octets text(std::string_view bytes) {
    return Octets(bytes.begin(), bytes.end());
}

}  // namespace natkit::test
