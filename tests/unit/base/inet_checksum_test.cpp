#include "natkit/base/inet_checksum.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>

using namespace natkit;

namespace {

std::array<std::uint8_t, 2> in_memory(const InetChecksum& checksum) {
    const std::uint16_t value = checksum.value();
    std::array<std::uint8_t, 2> bytes{};
    std::memcpy(bytes.data(), &value, 2);
    return bytes;
}

}  // namespace

TEST_CASE("InetChecksum: RFC 1071's example, in one piece and in several") {
    const std::array<std::uint8_t, 8> words{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    const std::array<std::uint8_t, 2> wanted{0x22, 0x0d};  // the complement of ddf2
    InetChecksum whole;
    whole.add(words);
    CHECK(in_memory(whole) == wanted);
    InetChecksum pieces;
    pieces.add(std::span(words).first(2));
    pieces.add_word(0xf203);
    pieces.add(std::span(words).subspan(4));
    CHECK(in_memory(pieces) == wanted);
}

TEST_CASE("InetChecksum: an odd byte is the upper half of a word; nothing at all gives ffff") {
    InetChecksum odd;
    odd.add(std::array<std::uint8_t, 3>{0x12, 0x34, 0x56});
    CHECK(in_memory(odd) == std::array<std::uint8_t, 2>{0x97, 0xcb});  // the complement of 1234 + 5600
    CHECK(in_memory({}) == std::array<std::uint8_t, 2>{0xff, 0xff});
}
