#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/diagnose.hpp"

/// What several parts of the page say in the same words. Plain text, not escaped yet.
namespace natkit::html {

inline constexpr std::int64_t second_ns = 1'000'000'000;

/// "The call was answered, and the caller hears nothing." The root cause says why.
[[nodiscard]] std::string verdict(const diagnose::Diagnosis& diagnosis);
/// The first finding that is no information, or null.
[[nodiscard]] const diagnose::Finding* root(const diagnose::Diagnosis& diagnosis);
[[nodiscard]] std::string outcome(const diagnose::Diagnosis& diagnosis);  ///< "refused, 486"

[[nodiscard]] std::string date_time(std::int64_t ns);    ///< "2026-11-29 10:12:33.250 UTC"; "" for 0
[[nodiscard]] std::string time_of_day(std::int64_t ns);  ///< "10:12:33"
[[nodiscard]] std::string seconds(std::int64_t ns);      ///< "12.300 s"
[[nodiscard]] std::string duration(std::int64_t ns);     ///< "1 min 12 s"
[[nodiscard]] std::string fixed(double number, int digits);
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view one);  ///< "1 call", "1 200 calls"
[[nodiscard]] std::string grouped(std::uint64_t number);                       ///< "1 200", thin spaces between
[[nodiscard]] std::string ssrc(std::uint32_t number);                          ///< "0x0000abcd"
[[nodiscard]] std::string way(diagnose::End from);                             ///< "caller → callee"
[[nodiscard]] const char* to_string(diagnose::Reach reach) noexcept;           ///< "arrives"
[[nodiscard]] const char* to_string(diagnose::IcmpError::Kind kind) noexcept;  ///< "port unreachable"

}  // namespace natkit::html
