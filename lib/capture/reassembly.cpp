#include "natkit/capture/reassembly.hpp"

#include <algorithm>
#include <cstring>

namespace natkit::capture {
namespace {

constexpr std::size_t most_pending = 128;
constexpr std::size_t most_holes = 1024;
constexpr std::uint64_t fragment_frames = 100'000;  ///< older pieces are given up
constexpr std::uint32_t largest_datagram = 65'535;

}  // namespace

Reassembly::Fragments& Reassembly::fragments_of(const Key& key, std::uint64_t frame) {
    if (pending_.size() >= most_pending && !pending_.contains(key)) {
        std::erase_if(pending_, [&](const auto& entry) { return entry.second.frame + fragment_frames < frame; });
        if (pending_.size() >= most_pending)
            pending_.erase(
                std::ranges::min_element(pending_, {}, [](const auto& entry) { return entry.second.frame; }));
    }
    Fragments& all = pending_[key];
    if (all.frame != 0 && all.frame + fragment_frames < frame) all = {};
    if (all.holes.empty()) all.holes.emplace_back(0, largest_datagram);
    all.frame = frame;
    return all;
}

/// What came first stays: only holes are filled.
void Reassembly::fill_holes(Fragments& all, std::uint32_t offset, std::span<const std::uint8_t> piece) {
    const std::uint32_t last = offset + static_cast<std::uint32_t>(piece.size());
    if (all.bytes.size() < last) all.bytes.resize(last);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> holes;
    for (const auto& [from, to] : all.holes) {
        const std::uint32_t begin = std::max(from, offset);
        const std::uint32_t end = std::min(to, last);
        if (begin >= end) {
            holes.emplace_back(from, to);
            continue;
        }
        std::memcpy(all.bytes.data() + begin, piece.data() + (begin - offset), end - begin);
        if (from < begin) holes.emplace_back(from, begin);
        if (end < to) holes.emplace_back(end, to);
    }
    all.holes = std::move(holes);
}

std::optional<std::span<const std::uint8_t>> Reassembly::add(const Key& key, std::uint32_t offset, bool more,
                                                             std::span<const std::uint8_t> piece, std::uint64_t frame) {
    const std::uint32_t last = offset + static_cast<std::uint32_t>(piece.size());
    if (last > largest_datagram || piece.empty()) return std::nullopt;
    Fragments& all = fragments_of(key, frame);
    if (!more) all.total = last;
    fill_holes(all, offset, piece);
    const bool complete = all.total && (all.holes.empty() || all.holes.front().first >= *all.total);
    if (all.holes.size() > most_holes || (all.holes.empty() && !complete)) {
        pending_.erase(key);
        return std::nullopt;
    }
    if (!complete) return std::nullopt;
    all.bytes.resize(std::min<std::size_t>(all.bytes.size(), *all.total));
    whole_ = std::move(all.bytes);
    pending_.erase(key);
    return whole_;
}

}  // namespace natkit::capture
