#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/ip.hpp"
#include "natkit/base/time.hpp"

namespace natkit::cluster {

/// What a node of several active ones says of itself in Redis, for as long as it is alive.
struct LeaseValue {
    std::string boot;  ///< of the host, and which of those that share its kernel
    std::uint64_t epoch = 0;
    std::vector<IpAddress> addresses;  ///< of those that SIP is bound to, the ones that the host has

    friend bool operator==(const LeaseValue&, const LeaseValue&) = default;
};

inline constexpr std::size_t longest_boot = 128;
inline constexpr std::size_t most_lease_addresses = 64;

/// Whether this node has its lease. All moments are of a clock that goes on while the host sleeps (CLOCK_BOOTTIME): a
/// lease is counted from before it was asked for, so that Redis never gives it up earlier than its holder.
class Lease {
  public:
    static constexpr Duration term = std::chrono::seconds(4);
    /// What an answer of Redis means.
    enum class Grant : std::uint8_t {
        renewed,
        begun,  ///< there was none, or it had lapsed: others may have decided without us
        late,   ///< it has lapsed already
    };

    /// Redis has given it; `was_there`: it was ours before that too.
    [[nodiscard]] Grant granted(Instant asked, bool was_there, Instant now);
    /// It is another's.
    void lose() noexcept { until_.reset(); }
    /// When it ends; nothing where there is none.
    [[nodiscard]] std::optional<Instant> until() const noexcept { return until_; }
    [[nodiscard]] bool held(Instant now) const noexcept { return until_ && now < *until_; }
    /// To be called now and then, and before anything is done by it. True once, when it has lapsed.
    [[nodiscard]] bool lapses(Instant now);

  private:
    std::optional<Instant> until_;
};

}  // namespace natkit::cluster
