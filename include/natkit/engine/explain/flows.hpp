#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/hash.hpp"

namespace natkit::explain {

/// UDP packets that went from one endpoint to another, without a pause of more than 60 s, or of more than 2 s where
/// another SSRC follows: ports are used again by the next call.
struct MediaFlow {
    Endpoint source;
    Endpoint destination;
    std::int64_t first_ns = 0, last_ns = 0;
    std::uint64_t rtp = 0, rtcp = 0, stun = 0, others = 0;  ///< packets
    std::uint64_t repeats = 0;                              ///< RTP packets that had passed here before
    std::uint32_t ssrc = 0;                                 ///< of the last RTP packet
    std::optional<std::uint32_t> sender;                    ///< SSRC of the last RTP or RTCP packet
    std::uint64_t reported_sent = 0;                        ///< RTCP: packets the sender says it sent
    std::optional<unsigned> reported_loss;                  ///< RTCP: per cent the sender of the report misses, latest

    std::uint64_t recent = 0;  ///< which of the 64 sequence numbers before `newest` have passed
    std::uint16_t newest = 0;

    /// RTP packets that were there once at least.
    [[nodiscard]] std::uint64_t distinct() const noexcept { return rtp - repeats; }
    /// Each packet came by five times or more, on the average: it goes in a circle. A capture on all interfaces of a
    /// machine with bridges has packets of healthy calls two to four times.
    [[nodiscard]] bool circles() const noexcept { return rtp >= 10 && repeats * 5 >= rtp * 4; }
};

/// Who sent media to whom in a capture. Bounded: 65,536 flows, the oldest give way; no packet costs more than a few
/// look-ups on the average.
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
    /// Flows that go in a circle, with at least so many packets that had passed before.
    [[nodiscard]] std::vector<const MediaFlow*> repeating(std::uint64_t least) const;
    [[nodiscard]] std::size_t size() const noexcept { return flows_.size(); }

  private:
    struct Key {
        Endpoint source, destination;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return EndpointHash()(key.source) * hash::golden + EndpointHash()(key.destination);
        }
    };
    /// Flows of one source, one destination or one pair of hosts, newest first: each knows the one before it.
    using Heads = std::unordered_map<Endpoint, std::uint32_t, EndpointHash>;
    struct Links {
        std::uint32_t source, destination, hosts;
    };
    [[nodiscard]] MediaFlow* flow_for(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns,
                                      std::optional<std::uint32_t> sender);
    void make_room(std::int64_t now_ns);
    void index(std::uint32_t number);
    [[nodiscard]] std::vector<const MediaFlow*> chain(const std::uint32_t* head, std::uint32_t Links::* next,
                                                      std::int64_t first_ns, std::int64_t last_ns) const;

    std::vector<MediaFlow> flows_;
    std::vector<Links> links_;  ///< one for each flow
    std::unordered_map<Key, std::uint32_t, KeyHash> current_;
    Heads by_source_, by_destination_;
    std::unordered_map<Key, std::uint32_t, KeyHash> by_hosts_;  ///< ports 0
};

}  // namespace natkit::explain
