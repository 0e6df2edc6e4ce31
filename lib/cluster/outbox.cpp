#include "natkit/cluster/outbox.hpp"

#include <algorithm>

namespace natkit::cluster {
namespace {

Instant oldest_of(const std::vector<KeyQueue::Entry>& keys) {
    const auto earlier = [](const auto& a, const auto& b) { return a.since < b.since; };
    return std::ranges::min_element(keys, earlier)->since;
}

}  // namespace

Outbox::Batch Outbox::take(const std::function<std::size_t(const std::string&)>& size_of) {
    Batch batch;
    if (queue_.empty() || bytes_ >= limits_.bytes_in_flight) return batch;
    std::size_t bytes = 0;
    while (bytes < limits_.batch_bytes) {
        auto entry = queue_.take();
        if (!entry) break;
        bytes += size_of(entry->key);
        batch.keys.push_back(std::move(*entry));
    }
    batch.number = ++last_;
    bytes_ += bytes;
    in_flight_.push_back({.number = batch.number, .bytes = bytes, .keys = batch.keys});
    return batch;
}

void Outbox::written(std::uint64_t number, StreamId id) {
    if (in_flight_.empty() || in_flight_.front().number != number) return;  // of before a loss
    const Sent sent = std::move(in_flight_.front());
    in_flight_.pop_front();
    bytes_ -= sent.bytes;
    const Instant oldest = oldest_of(sent.keys);
    // The oldest of them must not be forgotten: two become one.
    if (written_.size() >= limits_.unacknowledged) {
        written_.back() = {.id = id, .oldest = std::min(written_.back().oldest, oldest)};
    } else {
        written_.push_back({.id = id, .oldest = oldest});
    }
}

void Outbox::lost() {
    while (!in_flight_.empty()) {
        const Sent& sent = in_flight_.back();
        for (auto entry = sent.keys.rbegin(); entry != sent.keys.rend(); ++entry) queue_.put_back(*entry);
        in_flight_.pop_back();
    }
    bytes_ = 0;
}

std::vector<Instant> Outbox::acknowledged(StreamId id) {
    acknowledged_ = std::max(acknowledged_, id);
    std::vector<Instant> oldest;
    while (!written_.empty() && written_.front().id <= acknowledged_) {
        oldest.push_back(written_.front().oldest);
        written_.pop_front();
    }
    return oldest;
}

void Outbox::forget() {
    acknowledged_ = {};
}

std::optional<Instant> Outbox::oldest() const {
    auto oldest = queue_.oldest();
    const auto look = [&oldest](Instant at) { oldest = oldest ? std::min(*oldest, at) : at; };
    for (const Sent& sent : in_flight_) look(oldest_of(sent.keys));
    if (!written_.empty()) look(written_.front().oldest);
    return oldest;
}

}  // namespace natkit::cluster
