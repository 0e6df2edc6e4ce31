#pragma once

#include <cstdint>
#include <unordered_map>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/hash.hpp"
#include "natkit/base/time.hpp"

namespace natkit::proxy {

/// So many a second, and how many more may come at once.
struct Rate {
    double per_second = 0;
    double burst = 0;

    friend bool operator==(const Rate&, const Rate&) = default;
};

/// A bucket that fills with time, and that each one takes one out of.
class Bucket {
  public:
    /// A full one.
    Bucket(const Rate& rate, Instant now) : level_(rate.burst), at_(now) {}

    /// False: it is empty.
    [[nodiscard]] bool take(const Rate& rate, Instant now);
    [[nodiscard]] bool full(const Rate& rate, Instant now);

  private:
    void fill(const Rate& rate, Instant now);

    double level_;
    Instant at_;
};

/// A bucket for each of many neighbours. Pure, bounded, O(1): when there are too many, those that have filled up again
/// say nothing and go; if that does not help, all do, so that a flood from everywhere needs a common bucket besides.
class Buckets {
  public:
    struct Key {
        Endpoint remote;  ///< port 0: the address alone
        std::uint64_t connection = 0;
        friend bool operator==(const Key&, const Key&) = default;
    };

    explicit Buckets(std::size_t most = 20'000) : most_(most) {}

    [[nodiscard]] bool take(const Key& key, const Rate& rate, Instant now);
    [[nodiscard]] std::size_t size() const noexcept { return buckets_.size(); }

  private:
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return EndpointHash()(key.remote) ^ static_cast<std::size_t>(key.connection * hash::golden);
        }
    };

    std::size_t most_;
    std::unordered_map<Key, Bucket, KeyHash> buckets_;
};

}  // namespace natkit::proxy
