#pragma once

#include <cstdint>
#include <string>

#include "natkit/diagnose/facts.hpp"

/// How findings speak.
namespace natkit::diagnose {

constexpr std::int64_t second_ns = 1'000'000'000;

[[nodiscard]] std::string name(End end);                 ///< "the caller"
[[nodiscard]] std::string name_at_start(End end);        ///< "The caller": at the beginning of a sentence
[[nodiscard]] std::string seconds(std::int64_t ns);      ///< "12 s"
[[nodiscard]] std::string packets(std::uint64_t count);  ///< "1 packet"

}  // namespace natkit::diagnose
