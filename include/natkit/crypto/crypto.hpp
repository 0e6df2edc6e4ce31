#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

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

/// Digests as lower-case hexadecimal digits, for SIP's digest authentication (RFC 7616).
[[nodiscard]] std::string md5_hex(std::string_view text);
[[nodiscard]] std::string sha256_hex(std::string_view text);

/// Bytes nobody can guess. Aborts when the system has no randomness to give: nothing may go on without it.
void random_bytes(std::span<std::uint8_t> out);

/// `bytes` random bytes as lower-case hexadecimal digits: tags, branches, prefixes.
[[nodiscard]] std::string random_hex(std::size_t bytes);

}  // namespace natkit::crypto
