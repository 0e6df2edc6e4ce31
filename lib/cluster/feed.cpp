#include "natkit/cluster/feed.hpp"

namespace natkit::cluster {

void Feed::restart(const std::vector<std::string>& keys, Instant now) {
    queue_.clear();
    in_flight_.clear();
    taken_ = added_;
    for (const std::string& key : keys) {
        if (queue_.add(key, now)) ++added_;
    }
    // With no key at all, the worker is told so.
    if (keys.empty()) taken_ = added_++;
    whole_until_ = added_;
    stage_ = Stage::begin;
    running_ = true;
}

void Feed::add(std::string_view key, Instant now) {
    if (running_ && queue_.add(key, now)) ++added_;
}

std::optional<Feed::Piece> Feed::take(std::size_t most_bytes,
                                      const std::function<std::size_t(const std::string&)>& size_of) {
    if (!running_ || in_flight_.size() >= most_in_flight) return std::nullopt;
    if (queue_.empty() && stage_ == Stage::follow) return std::nullopt;
    Piece piece;
    std::size_t bytes = 0;
    while (bytes < most_bytes) {
        auto entry = queue_.take();
        if (!entry) break;
        ++taken_;
        bytes += size_of(entry->key);
        piece.keys.push_back(std::move(entry->key));
    }
    if (queue_.empty()) taken_ = added_;
    const bool begin = stage_ == Stage::begin;
    const bool end = stage_ != Stage::follow && taken_ >= whole_until_;
    piece.whole = begin ? (end ? Whole::begin_and_end : Whole::begin) : (end ? Whole::end : Whole::no);
    if (stage_ != Stage::follow) stage_ = end ? Stage::follow : Stage::all;
    in_flight_.push_back({.place = taken_});
    return piece;
}

void Feed::accepted() {
    if (in_flight_.empty()) return;
    passed_ = in_flight_.front().place;
    in_flight_.pop_front();
}

void Feed::stop() {
    queue_.clear();
    in_flight_.clear();
    stage_ = Stage::follow;
    running_ = false;
}

}  // namespace natkit::cluster
