#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <unordered_map>
#include <utility>

namespace natkit {

/// Values by key, at most so many: the one that was not touched for longest gives way. Constant time.
template <class Key, class Value, class Hash = std::hash<Key>>
class Recent {
  public:
    explicit Recent(std::size_t most) : most_(most) {}

    /// Null when it is not there, or not any more. Does not touch it.
    [[nodiscard]] Value* find(const Key& key) {
        const auto found = index_.find(key);
        return found == index_.end() ? nullptr : &found->second->second;
    }

    [[nodiscard]] const Value* find(const Key& key) const {
        const auto found = index_.find(key);
        return found == index_.end() ? nullptr : &found->second->second;
    }

    /// The value, made where there is none; it is the newest now. Valid until another key is touched or erased.
    Value& touch(const Key& key) {
        if (const auto found = index_.find(key); found != index_.end()) {
            entries_.splice(entries_.end(), entries_, found->second);
            return found->second->second;
        }
        if (entries_.size() >= most_ && !entries_.empty()) erase(Key(entries_.front().first));
        entries_.emplace_back(key, Value{});
        index_.emplace(key, std::prev(entries_.end()));
        return entries_.back().second;
    }

    void erase(const Key& key) {
        const auto found = index_.find(key);
        if (found == index_.end()) return;
        entries_.erase(found->second);
        index_.erase(found);
    }

    /// Calls `visit(key, value)` for each, the one that was not touched for longest first.
    template <class Visit>
    void for_each(const Visit& visit) const {
        for (const auto& [key, value] : entries_) visit(key, value);
    }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

  private:
    using Entries = std::list<std::pair<Key, Value>>;

    std::size_t most_;
    Entries entries_;  ///< oldest first
    std::unordered_map<Key, typename Entries::iterator, Hash> index_;
};

}  // namespace natkit
