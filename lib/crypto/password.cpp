#include "natkit/crypto/password.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <cstdlib>
#include <optional>

#include "natkit/base/text.hpp"
#include "natkit/crypto/crypto.hpp"

namespace natkit::crypto {
namespace {

constexpr std::size_t salt_bytes = 16;
constexpr std::size_t hash_bytes = 32;
constexpr std::size_t most_bytes = 64;
constexpr std::uint64_t most_memory = std::uint64_t{256} << 20;

std::uint64_t memory_of(const ScryptCost& cost) {
    return (std::uint64_t{128} << cost.log_n) * cost.r;
}

std::optional<std::vector<std::uint8_t>> from_hex(std::string_view digits) {
    if (digits.empty() || digits.size() % 2 != 0 || digits.size() > 2 * most_bytes) return std::nullopt;
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const auto byte = text::parse_hex(digits.substr(i, 2));
        if (!byte) return std::nullopt;
        bytes.push_back(static_cast<std::uint8_t>(*byte));
    }
    return bytes;
}

}  // namespace

Result<PasswordRecord> PasswordRecord::parse(std::string_view text) {
    const auto bad = [] { return fail(Errc::bad_input, "not a password record (scrypt:LOG_N:R:P:SALT:HASH)"); };
    const auto fields = text::split(text, ':');
    if (fields.size() != 6 || fields[0] != "scrypt") return bad();
    const auto log_n = text::parse_number(fields[1], 24);
    const auto r = text::parse_number(fields[2], 32);
    const auto p = text::parse_number(fields[3], 16);
    auto salt = from_hex(fields[4]);
    auto hash = from_hex(fields[5]);
    if (!log_n || !r || !p || !salt || !hash || *log_n < 1 || *r < 1 || *p < 1) return bad();
    if (salt->size() < 8 || hash->size() < 16) return bad();
    const ScryptCost cost{
        .log_n = static_cast<unsigned>(*log_n), .r = static_cast<unsigned>(*r), .p = static_cast<unsigned>(*p)};
    if (memory_of(cost) > most_memory) return fail(Errc::bad_input, "a password record that takes above 256 MB");
    PasswordRecord record(cost, std::move(*salt));
    record.hash_ = std::move(*hash);
    return record;
}

PasswordRecord PasswordRecord::make(std::string_view password, const ScryptCost& cost) {
    Bytes salt(salt_bytes);
    random_bytes(salt);
    PasswordRecord record(cost, std::move(salt));
    record.hash_.resize(hash_bytes);
    record.hash_ = record.derive(password);
    return record;
}

PasswordRecord::Bytes PasswordRecord::derive(std::string_view password) const {
    Bytes derived(hash_.size());
    const std::uint64_t limit = memory_of(cost_) + (std::uint64_t{1} << 20) + std::uint64_t{128} * cost_.r * cost_.p;
    const bool done =
        EVP_PBE_scrypt(password.data(), password.size(), salt_.data(), salt_.size(), std::uint64_t{1} << cost_.log_n,
                       cost_.r, cost_.p, limit, derived.data(), derived.size()) == 1;
    return done ? derived : Bytes{};  // of no memory: nothing matches
}

bool PasswordRecord::matches(std::string_view password) const {
    const Bytes derived = derive(password);
    return derived.size() == hash_.size() && CRYPTO_memcmp(derived.data(), hash_.data(), hash_.size()) == 0;
}

std::string PasswordRecord::text() const {
    return "scrypt:" + std::to_string(cost_.log_n) + ":" + std::to_string(cost_.r) + ":" + std::to_string(cost_.p) +
           ":" + text::hex(salt_) + ":" + text::hex(hash_);
}

bool same_secret(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace natkit::crypto
