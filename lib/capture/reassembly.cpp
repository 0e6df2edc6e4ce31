#include "natkit/capture/reassembly.hpp"

#include <algorithm>
#include <cstring>

namespace natkit::capture {
namespace {

constexpr std::size_t most_pending = 128;
constexpr std::size_t most_holes = 1024;
constexpr std::int64_t patience_ns = 10'000'000'000;
constexpr std::uint64_t patience_frames = 100'000;  ///< where the capture has no times
constexpr std::uint32_t largest_datagram = 65'535;

bool too_old(const Sighting& last, const Sighting& now) {
    return now.time_ns - last.time_ns > patience_ns || last.frame + patience_frames < now.frame;
}

}  // namespace

/// The same datagram may be captured on two interfaces: f1 f1' f2 f2' is one whole datagram and a lone copy of f2.
bool Reassembly::was_whole(const Key& key, std::int64_t time_ns) const {
    return std::ranges::any_of(complete_, [&](const auto& one) {
        return one.first == key && time_ns - one.second < patience_ns && one.second - time_ns < patience_ns;
    });
}

Reassembly::Pending::iterator Reassembly::give_up(Pending::iterator datagram) {
    const auto& [key, all] = *datagram;
    if (on_incomplete && all.pieces > 0 && !was_whole(key, all.last.time_ns)) {
        const std::size_t here = all.holes.empty() ? all.bytes.size() : all.holes.front().first;
        on_incomplete({.key = key,
                       .first = all.first,
                       .begin = std::span(all.bytes).first(std::min(here, all.bytes.size())),
                       .pieces = all.pieces,
                       .end_seen = all.total.has_value(),
                       .cut = all.cut,
                       .later_pieces_seen = later_pieces_seen_});
    }
    return pending_.erase(datagram);
}

void Reassembly::on_time(std::int64_t now_ns) {
    if (pending_.empty() || now_ns - oldest_ns_ <= patience_ns) return;
    oldest_ns_ = now_ns;
    for (auto datagram = pending_.begin(); datagram != pending_.end();) {
        if (now_ns - datagram->second.last.time_ns > patience_ns) {
            datagram = give_up(datagram);
        } else {
            oldest_ns_ = std::min(oldest_ns_, datagram->second.last.time_ns);
            ++datagram;
        }
    }
}

void Reassembly::finish() {
    for (auto datagram = pending_.begin(); datagram != pending_.end();) datagram = give_up(datagram);
    complete_.clear();
}

Reassembly::Fragments& Reassembly::fragments_of(const Key& key, const Sighting& seen) {
    const auto known = pending_.find(key);
    if (known != pending_.end() && too_old(known->second.last, seen)) give_up(known);
    if (pending_.size() >= most_pending && !pending_.contains(key))
        give_up(std::ranges::min_element(pending_, {}, [](const auto& entry) { return entry.second.last.frame; }));
    if (pending_.empty()) oldest_ns_ = seen.time_ns;
    Fragments& all = pending_[key];
    if (all.pieces++ == 0) {
        all.first = seen;
        all.holes.emplace_back(0, largest_datagram);
    }
    all.last = seen;
    oldest_ns_ = std::min(oldest_ns_, seen.time_ns);
    return all;
}

/// What came first stays: only holes are filled.
void Reassembly::fill_holes(Fragments& all, const Piece& piece) {
    const std::uint32_t last = piece.offset + static_cast<std::uint32_t>(piece.bytes.size());
    if (all.bytes.size() < last) all.bytes.resize(last);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> holes;
    for (const auto& [from, to] : all.holes) {
        const std::uint32_t begin = std::max(from, piece.offset);
        const std::uint32_t end = std::min(to, last);
        if (begin >= end) {
            holes.emplace_back(from, to);
            continue;
        }
        std::memcpy(all.bytes.data() + begin, piece.bytes.data() + (begin - piece.offset), end - begin);
        if (from < begin) holes.emplace_back(from, begin);
        if (end < to) holes.emplace_back(end, to);
    }
    all.holes = std::move(holes);
}

std::optional<std::span<const std::uint8_t>> Reassembly::add(const Key& key, const Piece& piece, const Sighting& seen) {
    const std::uint32_t last = piece.offset + static_cast<std::uint32_t>(piece.bytes.size());
    if (last > largest_datagram || piece.bytes.empty()) return std::nullopt;
    if (piece.offset != 0) later_pieces_seen_ = true;
    Fragments& all = fragments_of(key, seen);
    if (piece.cut) {
        all.cut = true;
    } else if (!piece.more) {
        all.total = last;
    }
    fill_holes(all, piece);
    const bool complete = all.total && (all.holes.empty() || all.holes.front().first >= *all.total);
    if (all.holes.size() > most_holes || (all.holes.empty() && !complete)) {
        pending_.erase(key);
        return std::nullopt;
    }
    if (!complete) return std::nullopt;
    all.bytes.resize(std::min<std::size_t>(all.bytes.size(), *all.total));
    whole_ = std::move(all.bytes);
    pending_.erase(key);
    if (complete_.size() >= most_pending) complete_.pop_front();
    complete_.emplace_back(key, seen.time_ns);
    return whole_;
}

}  // namespace natkit::capture
