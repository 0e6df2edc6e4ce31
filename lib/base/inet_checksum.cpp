#include "natkit/base/inet_checksum.hpp"

#include <bit>
#include <cstring>

namespace natkit {

void InetChecksum::add(std::span<const std::uint8_t> bytes) noexcept {
    // One's complement sums may be taken in any width and byte order: RFC 1071, section 2.
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 4; at += 4, left -= 4) {
        std::uint32_t word;
        std::memcpy(&word, at, 4);
        sum_ += word;
    }
    if (left == 0) return;
    std::uint32_t word = 0;
    std::memcpy(&word, at, left);
    sum_ += word;
}

void InetChecksum::add_word(std::uint16_t word) noexcept {
    sum_ += std::endian::native == std::endian::little ? std::byteswap(word) : word;
}

std::uint16_t InetChecksum::value() const noexcept {
    std::uint64_t sum = sum_;
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace natkit
