#include "natkit/cluster/key_queue.hpp"

#include <algorithm>

namespace natkit::cluster {

bool KeyQueue::add(std::string_view key, Instant since) {
    if (waiting_.contains(key)) return false;
    const auto [at, fresh] = waiting_.emplace(std::string(key), since);
    order_.push_back(&*at);
    return fresh;
}

void KeyQueue::put_back(const Entry& entry) {
    if (const auto found = waiting_.find(entry.key); found != waiting_.end()) {
        found->second = std::min(found->second, entry.since);
        return;
    }
    const auto [at, fresh] = waiting_.emplace(entry.key, entry.since);
    order_.push_front(&*at);
}

std::optional<KeyQueue::Entry> KeyQueue::take() {
    if (order_.empty()) return std::nullopt;
    const auto* first = order_.front();
    order_.pop_front();
    auto node = waiting_.extract(waiting_.find(first->first));
    return Entry{.key = std::move(node.key()), .since = node.mapped()};
}

std::optional<Instant> KeyQueue::oldest() const {
    if (order_.empty()) return std::nullopt;
    return order_.front()->second;
}

void KeyQueue::clear() {
    order_.clear();
    waiting_.clear();
}

}  // namespace natkit::cluster
