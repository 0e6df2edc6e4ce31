#pragma once

#include <cstdint>
#include <unordered_map>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"

namespace natkit::proxy {

/// Requests a second, and how many more may come at once.
struct Rate {
    double per_second = 0;
    double burst = 0;
};

struct FloodLimits {
    Rate flow{.per_second = 100, .burst = 200};    ///< of one flow
    Rate source{.per_second = 300, .burst = 600};  ///< of one nat::source_of(), all flows that nobody is registered by
    Rate strangers{.per_second = 1000, .burst = 2000};  ///< of all flows that nobody is registered by
    std::size_t remembered = 20'000;                    ///< flows, and as many sources
};

/// Whose requests are looked at: no flow, no address and not all strangers together can take more than their share, so
/// that what others need is left: transactions above all, which are bounded. Pure, bounded; O(1) a request.
class FloodGate {
  public:
    enum class Verdict : std::uint8_t {
        pass,
        flow,       ///< refused: too many from this flow
        source,     ///< too many from this address
        strangers,  ///< too many from all strangers together
    };

    explicit FloodGate(const FloodLimits& limits = {}) : limits_(limits) {}

    /// One request. `registered`: somebody is registered by this flow, and only the flow's own limit holds.
    [[nodiscard]] Verdict admit(const Endpoint& remote, std::uint64_t connection, bool registered, Instant now);

    /// True for the first refusal of an address, or of its /64, in a minute: time for a line in the log.
    [[nodiscard]] bool first_refusal(const IpAddress& address, Instant now);
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

  private:
    /// A bucket that fills with time, and that each request takes one out of.
    struct Bucket {
        double level = 0;
        Instant at{};

        void fill(const Rate& rate, Instant now);
        bool take(const Rate& rate, Instant now);
    };
    struct Key {
        Endpoint remote;  ///< port 0: the address alone
        std::uint64_t connection = 0;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return EndpointHash()(key.remote) ^ static_cast<std::size_t>(key.connection * 0x9e3779b97f4a7c15ULL);
        }
    };
    using Buckets = std::unordered_map<Key, Bucket, KeyHash>;

    Bucket& bucket(Buckets& buckets, const Key& key, const Rate& rate, Instant now) const;

    FloodLimits limits_;
    Buckets flows_;
    Buckets sources_;
    Bucket strangers_{.level = -1, .at = {}};
    std::unordered_map<Key, Instant, KeyHash> told_;
    std::uint64_t refused_ = 0;
};

[[nodiscard]] const char* to_string(FloodGate::Verdict verdict) noexcept;  ///< "pass", "flow", "source", "strangers"

}  // namespace natkit::proxy
