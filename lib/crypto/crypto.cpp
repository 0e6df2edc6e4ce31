#include "natkit/crypto/crypto.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <vector>

namespace natkit::crypto {
namespace {

std::string hex(std::span<const std::uint8_t> bytes) {
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::uint8_t byte : bytes) text += {digits[byte >> 4], digits[byte & 15]};
    return text;
}

std::string digest(const EVP_MD* kind, std::string_view text) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> code{};
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), code.data(), &size, kind, nullptr) != 1) std::abort();
    return hex(std::span(code).first(size));
}

}  // namespace

std::string md5_hex(std::string_view text) {
    return digest(EVP_md5(), text);
}

std::string sha256_hex(std::string_view text) {
    return digest(EVP_sha256(), text);
}

std::array<std::uint8_t, 32> hmac_sha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> data) {
    std::array<std::uint8_t, 32> code{};
    unsigned size = 0;
    const auto* done =
        HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), data.data(), data.size(), code.data(), &size);
    if (done == nullptr || size != code.size()) std::abort();
    return code;
}

void random_bytes(std::span<std::uint8_t> out) {
    if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) std::abort();
}

std::string random_hex(std::size_t bytes) {
    std::vector<std::uint8_t> raw(bytes);
    random_bytes(raw);
    return hex(raw);
}

}  // namespace natkit::crypto
