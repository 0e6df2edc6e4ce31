#include "natkit/engine/explain/captures/copies.hpp"

#include <functional>

namespace natkit::explain {
namespace {

constexpr std::size_t most_seen = 1024;
constexpr std::int64_t twice_ns = 5'000'000;         ///< between the same endpoints: shorter than any retransmission
constexpr std::int64_t translated_ns = 200'000'000;  ///< the way through a machine

}  // namespace

std::optional<Copy> CopyFinder::find(std::uint64_t frame, std::int64_t time_ns, const Endpoint& source,
                                     const Endpoint& destination, std::string_view bytes) {
    const std::size_t hash = std::hash<std::string_view>()(bytes);
    while (!seen_.empty() && (seen_.size() >= most_seen || seen_.front().time_ns + translated_ns < time_ns))
        seen_.pop_front();
    std::optional<Copy> copy;
    for (const Seen& old : seen_) {
        if (old.hash != hash || old.size != bytes.size() || old.frame == frame) continue;
        const bool same = old.source == source && old.destination == destination;
        if (same && time_ns - old.time_ns > twice_ns) continue;
        copy = Copy{.frame = old.frame,
                    .source_translated = old.source != source,
                    .destination_translated = old.destination != destination,
                    .source = old.source,
                    .destination = old.destination};
        break;
    }
    if (!copy)
        seen_.push_back({.hash = hash,
                         .frame = frame,
                         .time_ns = time_ns,
                         .source = source,
                         .destination = destination,
                         .size = bytes.size()});
    return copy;
}

}  // namespace natkit::explain
