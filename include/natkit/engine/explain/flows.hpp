#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "natkit/base/endpoint.hpp"

namespace natkit::explain {

/// UDP packets that went from one endpoint to another, without a pause of more than 60 s.
struct MediaFlow {
    Endpoint source;
    Endpoint destination;
    std::int64_t first_ns = 0, last_ns = 0;
    std::uint64_t rtp = 0, rtcp = 0, stun = 0, others = 0;  ///< packets
    std::uint64_t repeats = 0;                              ///< RTP packets that had passed here before
    std::uint32_t ssrc = 0;                                 ///< of the last RTP packet
    std::uint64_t reported_sent = 0;                        ///< RTCP: packets the sender says it sent
    std::optional<unsigned> reported_loss;                  ///< RTCP: per cent the sender of the report misses, latest

    std::uint64_t recent = 0;  ///< which of the 64 sequence numbers before `newest` have passed
    std::uint16_t newest = 0;
};

/// Who sent media to whom in a capture. Bounded: 65,536 flows, the oldest give way.
class FlowTable {
  public:
    void on_packet(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns,
                   std::span<const std::uint8_t> payload);

    /// Flows that touch an endpoint and overlap the time from `first_ns` to `last_ns`.
    [[nodiscard]] std::vector<const MediaFlow*> to(const Endpoint& endpoint, std::int64_t first_ns,
                                                   std::int64_t last_ns) const;
    [[nodiscard]] std::vector<const MediaFlow*> from(const Endpoint& endpoint, std::int64_t first_ns,
                                                     std::int64_t last_ns) const;
    /// The same by the address of the source, whatever its port.
    [[nodiscard]] std::vector<const MediaFlow*> between(const IpAddress& source, const IpAddress& destination,
                                                        std::int64_t first_ns, std::int64_t last_ns) const;
    /// Flows of which at least half the RTP packets, and at least so many, had passed before: they go in a circle.
    [[nodiscard]] std::vector<const MediaFlow*> repeating(std::uint64_t least) const;
    [[nodiscard]] std::size_t size() const noexcept { return flows_.size(); }

  private:
    struct Key {
        Endpoint source, destination;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return EndpointHash()(key.source) * 0x9e3779b97f4a7c15U + EndpointHash()(key.destination);
        }
    };
    [[nodiscard]] MediaFlow* flow_for(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns);
    void forget_old(std::int64_t now_ns);
    void index(std::uint32_t number);

    std::vector<MediaFlow> flows_;
    std::unordered_map<Key, std::uint32_t, KeyHash> current_;
    std::unordered_map<Endpoint, std::vector<std::uint32_t>, EndpointHash> by_source_, by_destination_;
};

}  // namespace natkit::explain
