#include "natkit/crypto/crypto.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "natkit/base/text.hpp"

namespace natkit::crypto {
namespace {

std::string digest(const EVP_MD* kind, std::string_view text) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> code{};
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), code.data(), &size, kind, nullptr) != 1) std::abort();
    return text::hex(std::span(code).first(size));
}

}  // namespace

std::string md5_hex(std::string_view text) {
    return digest(EVP_md5(), text);
}

std::string sha256_hex(std::string_view text) {
    return digest(EVP_sha256(), text);
}

Hmac::Hmac(std::span<const std::uint8_t> key) {
    const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> kind(EVP_MAC_fetch(nullptr, "HMAC", nullptr), EVP_MAC_free);
    EVP_MAC_CTX* context = kind ? EVP_MAC_CTX_new(kind.get()) : nullptr;
    char digest_name[] = "SHA256";
    const std::array parameters{OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
                                OSSL_PARAM_construct_end()};
    if (context == nullptr || EVP_MAC_init(context, key.data(), key.size(), parameters.data()) != 1) std::abort();
    context_ = std::shared_ptr<void>(context, [](void* one) { EVP_MAC_CTX_free(static_cast<EVP_MAC_CTX*>(one)); });
}

std::array<std::uint8_t, 32> Hmac::operator()(std::span<const std::uint8_t> data) const {
    std::array<std::uint8_t, 32> code{};
    std::size_t size = 0;
    auto* context = static_cast<EVP_MAC_CTX*>(context_.get());
    // Begun anew with the key that it has: a copy of it for each code would cost more than the code.
    const bool done = EVP_MAC_init(context, nullptr, 0, nullptr) == 1 &&
                      EVP_MAC_update(context, data.data(), data.size()) == 1 &&
                      EVP_MAC_final(context, code.data(), &size, code.size()) == 1;
    if (!done || size != code.size()) std::abort();
    return code;
}

namespace {

constexpr std::size_t siv_tag = 16;

std::shared_ptr<void> new_cipher_context() {
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    if (context == nullptr) std::abort();
    return {context, [](void* one) { EVP_CIPHER_CTX_free(static_cast<EVP_CIPHER_CTX*>(one)); }};
}

EVP_CIPHER_CTX* cipher_context(const std::shared_ptr<void>& one) {
    return static_cast<EVP_CIPHER_CTX*>(one.get());
}

}  // namespace

Siv::Siv(std::span<const std::uint8_t, 32> key)
    : sealing_(new_cipher_context()), opening_(new_cipher_context()), working_(new_cipher_context()) {
    const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> kind(
        EVP_CIPHER_fetch(nullptr, "AES-128-SIV", nullptr), EVP_CIPHER_free);
    const bool made = kind != nullptr &&
                      EVP_EncryptInit_ex2(cipher_context(sealing_), kind.get(), key.data(), nullptr, nullptr) == 1 &&
                      EVP_DecryptInit_ex2(cipher_context(opening_), kind.get(), key.data(), nullptr, nullptr) == 1;
    if (!made) std::abort();
}

std::vector<std::uint8_t> Siv::seal(std::span<const std::uint8_t> plain, std::span<const std::uint8_t> context) const {
    std::vector<std::uint8_t> sealed(siv_tag + plain.size());
    EVP_CIPHER_CTX* work = cipher_context(working_);
    int size = 0;
    // Copying the prepared key costs half of preparing it again.
    const bool done =
        EVP_CIPHER_CTX_copy(work, cipher_context(sealing_)) == 1 &&
        EVP_EncryptUpdate(work, nullptr, &size, context.data(), static_cast<int>(context.size())) == 1 &&
        EVP_EncryptUpdate(work, sealed.data() + siv_tag, &size, plain.data(), static_cast<int>(plain.size())) == 1 &&
        EVP_CIPHER_CTX_ctrl(work, EVP_CTRL_AEAD_GET_TAG, siv_tag, sealed.data()) == 1;
    if (!done) std::abort();
    return sealed;
}

std::optional<std::vector<std::uint8_t>> Siv::open(std::span<const std::uint8_t> sealed,
                                                   std::span<const std::uint8_t> context) const {
    if (sealed.size() <= siv_tag) return std::nullopt;
    std::array<std::uint8_t, siv_tag> tag{};
    std::ranges::copy(sealed.first(siv_tag), tag.begin());
    const auto text = sealed.subspan(siv_tag);
    std::vector<std::uint8_t> plain(text.size());
    EVP_CIPHER_CTX* work = cipher_context(working_);
    int size = 0;
    const bool good = EVP_CIPHER_CTX_copy(work, cipher_context(opening_)) == 1 &&
                      EVP_CIPHER_CTX_ctrl(work, EVP_CTRL_AEAD_SET_TAG, siv_tag, tag.data()) == 1 &&
                      EVP_DecryptUpdate(work, nullptr, &size, context.data(), static_cast<int>(context.size())) == 1 &&
                      EVP_DecryptUpdate(work, plain.data(), &size, text.data(), static_cast<int>(text.size())) == 1;
    if (!good) return std::nullopt;
    return plain;
}

void random_bytes(std::span<std::uint8_t> out) {
    // Drawn in advance, as most want a few: what was given is wiped, so that none is given twice or found later.
    static thread_local std::array<std::uint8_t, 1024> drawn;
    static thread_local std::size_t left = 0;
    while (!out.empty()) {
        if (left == 0) {
            if (RAND_bytes(drawn.data(), static_cast<int>(drawn.size())) != 1) std::abort();
            left = drawn.size();
        }
        const std::size_t count = std::min(left, out.size());
        const auto taken = std::span(drawn).subspan(left - count, count);
        std::ranges::copy(taken, out.begin());
        OPENSSL_cleanse(taken.data(), count);
        left -= count;
        out = out.subspan(count);
    }
}

std::string random_hex(std::size_t bytes) {
    std::vector<std::uint8_t> raw(bytes);
    random_bytes(raw);
    return text::hex(raw);
}

}  // namespace natkit::crypto
