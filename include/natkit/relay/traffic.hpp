#pragma once

#include <cstdint>

#include "natkit/base/time.hpp"
#include "natkit/relay/leg.hpp"

namespace natkit::relay {

/// What legs have relayed altogether. Packets are those of UDP; bytes are of UDP payload and of TCP.
struct Traffic {
    std::uint64_t received_packets = 0;  ///< accepted from parties
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_packets = 0;  ///< to parties
    std::uint64_t sent_bytes = 0;

    /// Wraps around: a part may be taken away before the whole is added.
    Traffic& operator+=(const Traffic& other) noexcept;
    Traffic& operator-=(const Traffic& other) noexcept;
    friend bool operator==(const Traffic&, const Traffic&) = default;
};

[[nodiscard]] Traffic traffic_of(const Leg& leg) noexcept;

/// Makes packets a second of totals that are told now and then. Pure.
class TrafficMeter {
  public:
    /// The total of now: it never falls. More than one within half a second counts as one.
    void tell(const Traffic& total, Instant now) noexcept;
    [[nodiscard]] const Traffic& total() const noexcept { return total_; }
    /// Packets received a second between the last two totals; 0 where nobody has told one for three seconds.
    [[nodiscard]] std::uint64_t packets_a_second(Instant now) const noexcept;

  private:
    Traffic total_;
    std::uint64_t packets_before_ = 0;
    Instant told_{};
    std::uint64_t rate_ = 0;
};

}  // namespace natkit::relay
