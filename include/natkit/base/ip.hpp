#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"

namespace natkit {

enum class Family : std::uint8_t { ipv4, ipv6 };

/// "ipv4" or "ipv6", as in records.
[[nodiscard]] const char* to_string(Family family) noexcept;

/// An IPv4 or IPv6 address without port or zone. Regular value; IPv4 sorts before IPv6. An IPv4-mapped IPv6 address
/// (RFC 4291 section 2.5.5.2) becomes the IPv4 address it stands for, so that one host has one value.
class IpAddress {
  public:
    constexpr IpAddress() noexcept = default;  ///< 0.0.0.0

    [[nodiscard]] static IpAddress v4(std::uint32_t host_order) noexcept;
    [[nodiscard]] static IpAddress v6(const std::array<std::uint8_t, 16>& bytes) noexcept;

    /// Dotted quad or RFC 4291 text, brackets allowed around IPv6. No names, no zones, no leading zeros in IPv4 (their
    /// base is ambiguous), no surrounding space.
    [[nodiscard]] static Result<IpAddress> parse(std::string_view text);

    [[nodiscard]] Family family() const noexcept { return family_; }
    [[nodiscard]] bool is_v4() const noexcept { return family_ == Family::ipv4; }

    /// 4 or 16 bytes in network order, valid as long as the address.
    [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept;

    [[nodiscard]] bool is_unspecified() const noexcept;  ///< 0.0.0.0, ::
    [[nodiscard]] bool is_loopback() const noexcept;     ///< 127/8, ::1
    [[nodiscard]] bool is_multicast() const noexcept;    ///< 224/4, ff00::/8
    [[nodiscard]] bool is_link_local() const noexcept;   ///< 169.254/16, fe80::/10
    [[nodiscard]] bool is_broadcast() const noexcept;    ///< 255.255.255.255 only; a network's own needs its mask

    friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  private:
    friend class IpRange;

    Family family_ = Family::ipv4;
    std::array<std::uint8_t, 16> bytes_{};  ///< IPv4 in the first four, the rest zero
};

/// Without brackets; IPv6 in the canonical form of RFC 5952.
[[nodiscard]] std::string to_string(const IpAddress& address);
/// Writes what to_string() says to `out`, which has room for `address_chars`; returns the end of it.
inline constexpr std::size_t address_chars = 39;
[[nodiscard]] char* write(char* out, const IpAddress& address) noexcept;

/// The addresses from `first` to `last`, both included and of one family.
class IpRange {
  public:
    constexpr IpRange() noexcept = default;  ///< 0.0.0.0 alone

    /// A single address, CIDR ("10.0.0.0/8"), or first-last ("203.0.113.64-203.0.113.79", spaces around the dash
    /// allowed). CIDR with host bits set is taken as its network. The message of an error quotes the text.
    [[nodiscard]] static Result<IpRange> parse(std::string_view text);
    [[nodiscard]] static IpRange single(const IpAddress& address) noexcept { return {address, address}; }

    [[nodiscard]] const IpAddress& first() const noexcept { return first_; }
    [[nodiscard]] const IpAddress& last() const noexcept { return last_; }
    [[nodiscard]] bool contains(const IpAddress& address) const noexcept {
        return address.family() == first_.family() && first_ <= address && address <= last_;
    }

    friend bool operator==(const IpRange&, const IpRange&) = default;

  private:
    IpRange(const IpAddress& first, const IpAddress& last) noexcept : first_(first), last_(last) {}

    [[nodiscard]] static Result<IpRange> parse_cidr(std::string_view text, std::size_t slash);

    IpAddress first_;
    IpAddress last_;
};

/// "198.51.100.7", "10.0.0.0/8" where it is a whole network, else "first-last".
[[nodiscard]] std::string to_string(const IpRange& range);

/// A list of ranges as an operator writes it. Overlaps are allowed; the first range that holds an address wins.
class RangeSet {
  public:
    RangeSet() = default;
    explicit RangeSet(std::vector<IpRange> ranges) : ranges_(std::move(ranges)) {}

    /// Every text must be a range; the error names the first that is not.
    [[nodiscard]] static Result<RangeSet> parse(std::span<const std::string_view> texts);

    [[nodiscard]] bool contains(const IpAddress& address) const noexcept { return find(address) != nullptr; }
    /// The first range that holds the address, or null. Linear: lists are written by hand.
    [[nodiscard]] const IpRange* find(const IpAddress& address) const noexcept;

    [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
    [[nodiscard]] const std::vector<IpRange>& ranges() const noexcept { return ranges_; }
    void add(const IpRange& range) { ranges_.push_back(range); }

    friend bool operator==(const RangeSet&, const RangeSet&) = default;

  private:
    std::vector<IpRange> ranges_;
};

}  // namespace natkit
