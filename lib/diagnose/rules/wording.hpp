#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/finding.hpp"

/// How the doctor speaks.
namespace natkit::diagnose {

constexpr unsigned few_copies = 3;  ///< a request that was sent so often, and not answered, was sent in vain

[[nodiscard]] std::string name(End party);           ///< "the caller"
[[nodiscard]] std::string name_at_start(End party);  ///< "The caller"
[[nodiscard]] std::string seconds(std::int64_t ns);  ///< "12 s"
[[nodiscard]] std::string tenths(double seconds);    ///< "12.3 s"
[[nodiscard]] std::string packets(std::uint64_t count);
[[nodiscard]] std::string times(unsigned count);  ///< "once", "3 times"
/// "a private address": of one that exists behind a NAT, in a carrier's network or on a host alone.
[[nodiscard]] std::string kind_of(const IpAddress& address);
/// " from 12.3 s on, after the answer in frame 812", or nothing where it was so from the beginning.
[[nodiscard]] std::string since(const Case& one, const Dead& dead);
/// ice.cpp. Connectivity checks of a party that got no successful response, where none of its checks was.
struct Checks {
    Endpoint to;
    std::uint32_t count = 0;
    std::uint64_t frame = 0;
    bool refused = false;  ///< by an error response
};
[[nodiscard]] std::optional<Checks> unanswered_checks(const Case& one, End from);
/// With its time and frames.
[[nodiscard]] Finding during(const Case& one, const Dead& dead, Finding finding);

}  // namespace natkit::diagnose
