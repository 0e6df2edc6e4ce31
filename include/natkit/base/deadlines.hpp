#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "natkit/base/time.hpp"

namespace natkit {

/// When to look at what next: a heap of (instant, key). Entries are never removed early: whoever pops one asks its
/// object whether anything is due, so an entry that has become pointless costs one look and no bookkeeping.
/// add() is O(log n); the size is bounded by the entries added within the longest time used.
template <class Key, class Time = Instant>
class Deadlines {
  public:
    void add(Time when, Key key) {
        heap_.emplace_back(when, std::move(key));
        std::push_heap(heap_.begin(), heap_.end(), later);
    }

    /// The earliest entry's instant; nothing when there is none.
    [[nodiscard]] std::optional<Time> next() const {
        return heap_.empty() ? std::nullopt : std::optional(heap_.front().first);
    }

    /// Takes out one entry that is due at `now`.
    [[nodiscard]] std::optional<Key> pop_due(Time now) {
        if (heap_.empty() || heap_.front().first > now) return std::nullopt;
        std::pop_heap(heap_.begin(), heap_.end(), later);
        Key key = std::move(heap_.back().second);
        heap_.pop_back();
        return key;
    }

    [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }

  private:
    using Entry = std::pair<Time, Key>;
    static bool later(const Entry& a, const Entry& b) { return a.first > b.first; }

    std::vector<Entry> heap_;
};

}  // namespace natkit
