#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "natkit/base/time.hpp"

namespace natkit::cluster {

/// Keys that wait, each once, the first that came first. What belongs to a key is looked up when its turn comes, so a
/// key that changes often while it waits costs no more than one that changed once, and all that can wait is bounded by
/// what there is.
class KeyQueue {
  public:
    struct Entry {
        std::string key;
        Instant since;  ///< when it began to wait
    };

    /// False when it waits already: its place stays.
    bool add(std::string_view key, Instant since);
    /// What was taken comes again before all that waits; the earlier of two moments counts.
    void put_back(const Entry& entry);
    [[nodiscard]] std::optional<Entry> take();

    [[nodiscard]] std::optional<Instant> oldest() const;
    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }
    [[nodiscard]] bool empty() const noexcept { return order_.empty(); }
    void clear();

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
    };
    using Waiting = std::unordered_map<std::string, Instant, Hash, std::equal_to<>>;
    Waiting waiting_;
    std::deque<Waiting::const_pointer> order_;  ///< into waiting_, whose nodes stay where they are
};

}  // namespace natkit::cluster
