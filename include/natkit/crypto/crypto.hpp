#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace natkit::crypto {

/// HMAC-SHA-256 (RFC 2104, FIPS 180-4) with one key. OpenSSL does the work; the key is prepared once. Copies share it,
/// so one and its copies are for one thread.
class Hmac {
  public:
    explicit Hmac(std::span<const std::uint8_t> key);

    [[nodiscard]] std::array<std::uint8_t, 32> operator()(std::span<const std::uint8_t> data) const;

  private:
    std::shared_ptr<void> context_;  ///< an EVP_MAC_CTX that has the key
};

/// AES-SIV with keys of 128 bits (RFC 5297): encryption that is the same for the same text, key and context, and is
/// opened only as it was sealed, in the context that it was sealed for. OpenSSL does the work. Copies share the
/// prepared key, so one and its copies are for one thread.
class Siv {
  public:
    explicit Siv(std::span<const std::uint8_t, 32> key);

    /// 16 bytes longer than `plain`; neither that nor `context` may be empty.
    [[nodiscard]] std::vector<std::uint8_t> seal(std::span<const std::uint8_t> plain,
                                                 std::span<const std::uint8_t> context) const;
    /// What was sealed; nothing unless all of it and its context are as they were.
    [[nodiscard]] std::optional<std::vector<std::uint8_t>> open(std::span<const std::uint8_t> sealed,
                                                                std::span<const std::uint8_t> context) const;

  private:
    std::shared_ptr<void> sealing_;  ///< EVP_CIPHER_CTXs that have the key; work is done on copies
    std::shared_ptr<void> opening_;
    std::shared_ptr<void> working_;
};

/// Digests as lower-case hexadecimal digits, for SIP's digest authentication (RFC 7616).
[[nodiscard]] std::string md5_hex(std::string_view text);
[[nodiscard]] std::string sha256_hex(std::string_view text);

/// Bytes nobody can guess. Aborts when the system has no randomness to give: nothing may go on without it.
void random_bytes(std::span<std::uint8_t> out);

/// `bytes` random bytes as lower-case hexadecimal digits: tags, branches, prefixes.
[[nodiscard]] std::string random_hex(std::size_t bytes);

}  // namespace natkit::crypto
