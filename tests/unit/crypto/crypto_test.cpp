#include "natkit/crypto/crypto.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

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

TEST_CASE("crypto::Siv: RFC 5297 appendix A.1; the same again; nothing that was changed") {
    const auto bytes = [](std::string_view digits) {
        std::vector<std::uint8_t> out;
        for (std::size_t i = 0; i < digits.size(); i += 2)
            out.push_back(static_cast<std::uint8_t>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
        return out;
    };
    const auto key = bytes("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    const auto context = bytes("101112131415161718191a1b1c1d1e1f2021222324252627");
    const auto plain = bytes("112233445566778899aabbccddee");
    const auto want = bytes("85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c");
    const crypto::Siv siv(std::span<const std::uint8_t, 32>(key.data(), 32));
    for (int i = 0; i < 2; ++i) {
        CHECK(siv.seal(plain, context) == want);
        CHECK(siv.open(want, context) == plain);
    }
    CHECK_FALSE(siv.open(want, plain).has_value());
    for (std::size_t i = 0; i < want.size(); ++i) {
        auto changed = want;
        changed[i] ^= 1;
        CHECK_FALSE(siv.open(changed, context).has_value());
    }
    CHECK_FALSE(siv.open(std::span(want).first(16), context).has_value());
    CHECK_FALSE(siv.open({}, context).has_value());
    CHECK(siv.open(want, context) == plain);
}
