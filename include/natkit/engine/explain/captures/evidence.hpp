#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "natkit/capture/decoder.hpp"
#include "natkit/diagnose/facts.hpp"

namespace natkit::explain {

/// What a capture has besides messages and media: errors by ICMP. Bounded: the last 4096.
class CaptureEvidence {
  public:
    void on_icmp_error(const capture::IcmpError& error);

    /// Those of a time that `about` says yes to, as they began; the last 256 of them.
    [[nodiscard]] std::vector<diagnose::IcmpError> icmp(
        std::int64_t first_ns, std::int64_t last_ns,
        const std::function<bool(const diagnose::IcmpError&)>& about) const;

  private:
    std::deque<diagnose::IcmpError> icmp_;  ///< by their last repetition a little out of order
};

}  // namespace natkit::explain
