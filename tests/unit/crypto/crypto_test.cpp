#include "natkit/crypto/crypto.hpp"

#include <doctest/doctest.h>

#include <string_view>

using namespace natkit;

TEST_CASE("crypto::Hmac: RFC 4231 test case 2, again and again with one key") {
    const auto bytes = [](std::string_view text) {
        return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    };
    const crypto::Hmac hmac(bytes("Jefe"));
    for (int i = 0; i < 2; ++i) {
        const auto code = hmac(bytes("what do ya want for nothing?"));
        CHECK(code[0] == 0x5b);
        CHECK(code[1] == 0xdc);
        CHECK(code[31] == 0x43);
    }
}

TEST_CASE("crypto::random_hex: length, and not twice the same") {
    CHECK(crypto::random_hex(8).size() == 16);
    CHECK(crypto::random_hex(16) != crypto::random_hex(16));
}

TEST_CASE("crypto: digests of a known text (RFC 1321, FIPS 180-4)") {
    CHECK(crypto::md5_hex("abc") == "900150983cd24fb0d6963f7d28e17f72");
    CHECK(crypto::sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
