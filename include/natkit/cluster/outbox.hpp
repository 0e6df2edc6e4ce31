#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "natkit/cluster/key_queue.hpp"
#include "natkit/cluster/version.hpp"

namespace natkit::cluster {

/// What the active node still has to write, and what of it nobody has acknowledged yet.
class Outbox {
  public:
    struct Limits {
        std::size_t batch_bytes = std::size_t{128} << 10;
        std::size_t bytes_in_flight = std::size_t{1} << 20;
        std::size_t unacknowledged = 4096;  ///< batches that are remembered for their lag
    };
    struct Batch {
        std::uint64_t number = 0;
        std::vector<KeyQueue::Entry> keys;
    };

    explicit Outbox(Limits limits) : limits_(limits) {}

    void add(std::string_view key, Instant now) { queue_.add(key, now); }
    /// The next keys to be written, `size_of(key)` bytes each; none while enough is on its way. At least one,
    /// otherwise.
    [[nodiscard]] Batch take(const std::function<std::size_t(const std::string&)>& size_of);
    /// Redis has taken it as that entry.
    void written(std::uint64_t number, StreamId id);
    /// Nobody knows what became of what is on its way: it waits again.
    void lost();
    /// A standby has all up to that entry. The oldest arrival of each batch that is acknowledged with it.
    [[nodiscard]] std::vector<Instant> acknowledged(StreamId id);
    /// What was written counts as acknowledged no more: who has it must read it anew.
    void forget();

    /// Of all that no standby has: when the first of it came.
    [[nodiscard]] std::optional<Instant> oldest() const;
    [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_.size(); }

  private:
    struct Sent {
        std::uint64_t number = 0;
        std::size_t bytes = 0;
        std::vector<KeyQueue::Entry> keys;
    };
    struct Written {
        StreamId id;
        Instant oldest;
    };

    Limits limits_;
    KeyQueue queue_;
    std::deque<Sent> in_flight_;
    std::deque<Written> written_;  ///< in the order of their ids
    StreamId acknowledged_;
    std::size_t bytes_ = 0;
    std::uint64_t last_ = 0;
};

}  // namespace natkit::cluster
