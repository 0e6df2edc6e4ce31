#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"

namespace natkit::crypto {

/// What scrypt (RFC 7914) takes: 128 * 2^log_n * r bytes of memory, and time by p.
struct ScryptCost {
    unsigned log_n = 15;
    unsigned r = 8;
    unsigned p = 1;
    friend bool operator==(const ScryptCost&, const ScryptCost&) = default;
};

/// A password as it is kept: "scrypt:15:8:1:SALT:HASH", the last two in hexadecimal digits.
class PasswordRecord {
  public:
    /// Total. At most 256 MB of memory may be asked for.
    [[nodiscard]] static Result<PasswordRecord> parse(std::string_view text);
    /// With a new salt. Takes some 100 ms.
    [[nodiscard]] static PasswordRecord make(std::string_view password, const ScryptCost& cost = {});
    /// Takes as long, whatever the password is.
    [[nodiscard]] bool matches(std::string_view password) const;
    [[nodiscard]] std::string text() const;

    friend bool operator==(const PasswordRecord&, const PasswordRecord&) = default;

  private:
    using Bytes = std::vector<std::uint8_t>;
    PasswordRecord(const ScryptCost& cost, Bytes salt) : cost_(cost), salt_(std::move(salt)) {}
    [[nodiscard]] Bytes derive(std::string_view password) const;

    ScryptCost cost_;
    Bytes salt_;
    Bytes hash_;
};

/// Whether two secrets are the same, in a time that does not tell how much of them is.
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b) noexcept;

}  // namespace natkit::crypto
