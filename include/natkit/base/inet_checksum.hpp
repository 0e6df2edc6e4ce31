#pragma once

#include <cstdint>
#include <span>

namespace natkit {

/// The Internet checksum (RFC 1071) of what was added; the words of a packet are in network byte order. Pieces may be
/// added one after the other, all but the last of even length.
class InetChecksum {
  public:
    void add(std::span<const std::uint8_t> bytes) noexcept;
    /// A 16 bit word of the host, as of a length or a protocol number in a pseudo header.
    void add_word(std::uint16_t word) noexcept;
    /// As it stands in a header, in network byte order in memory.
    [[nodiscard]] std::uint16_t value() const noexcept;

  private:
    std::uint64_t sum_ = 0;
};

}  // namespace natkit
