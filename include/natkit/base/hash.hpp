#pragma once

#include <cstdint>
#include <string_view>

/// Numbers that look random, made of bytes: for tables, spreading and fingerprints, never against an attacker.
namespace natkit::hash {

/// FNV-1a of 64 bits (draft-eastlake-fnv): where it begins.
inline constexpr std::uint64_t fnv_basis = 0xcbf29ce484222325;

/// One step of FNV-1a: takes in a byte, or a small number.
[[nodiscard]] constexpr std::uint64_t fnv(std::uint64_t hash, std::uint64_t byte) noexcept {
    return (hash ^ byte) * 0x100000001b3;
}

[[nodiscard]] constexpr std::uint64_t fnv(std::uint64_t hash, std::string_view bytes) noexcept {
    for (const char c : bytes) hash = fnv(hash, static_cast<unsigned char>(c));
    return hash;
}

/// 2^64 divided by the golden ratio: a number times it spreads over all bits; the step of splitmix64.
inline constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;

/// The last step of splitmix64: every bit of `x` reaches every bit of the result.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

}  // namespace natkit::hash
