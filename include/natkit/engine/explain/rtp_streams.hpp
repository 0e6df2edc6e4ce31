#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "natkit/base/hash.hpp"
#include "natkit/diagnose/facts.hpp"

namespace natkit::explain {

using diagnose::RtpStream;

/// Who sent media to whom in a capture. An RTP stream ends with a pause of 60 s, or of 2 s where another SSRC follows:
/// ports are used again by the next call. Bounded: 65,536 streams, the oldest give way; no packet costs more than a few
/// look-ups on the average.
class RtpStreams {
  public:
    void on_packet(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns,
                   std::span<const std::uint8_t> payload);

    /// Streams to or from an endpoint that overlap the time from `first_ns` to `last_ns`, in the order in which they
    /// began; all of one array.
    [[nodiscard]] std::vector<const RtpStream*> to(const Endpoint& endpoint, std::int64_t first_ns,
                                                   std::int64_t last_ns) const;
    [[nodiscard]] std::vector<const RtpStream*> from(const Endpoint& endpoint, std::int64_t first_ns,
                                                     std::int64_t last_ns) const;
    /// The same by addresses, whatever the ports.
    [[nodiscard]] std::vector<const RtpStream*> between(const IpAddress& source, const IpAddress& destination,
                                                        std::int64_t first_ns, std::int64_t last_ns) const;
    /// Streams that go in a circle, with at least so many packets that had passed before.
    [[nodiscard]] std::vector<const RtpStream*> repeating(std::uint64_t least) const;
    [[nodiscard]] std::size_t size() const noexcept { return streams_.size(); }

  private:
    /// A stream, and which of its packets have passed.
    struct Counted : RtpStream {
        std::uint64_t recent = 0;  ///< a bit for each of the 64 sequence numbers up to `newest`
        std::uint16_t newest = 0;
    };
    struct Key {
        Endpoint source, destination;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return EndpointHash()(key.source) * hash::golden + EndpointHash()(key.destination);
        }
    };
    /// Streams of one source, one destination or one pair of hosts, newest first: each knows the one before it.
    using Heads = std::unordered_map<Endpoint, std::uint32_t, EndpointHash>;
    struct Links {
        std::uint32_t source, destination, hosts;
    };
    [[nodiscard]] Counted& stream_for(const Endpoint& source, const Endpoint& destination, std::int64_t time_ns,
                                      std::optional<std::uint32_t> sender);
    static void read_rtp(std::span<const std::uint8_t> packet, Counted& stream);
    void make_room(std::int64_t now_ns);
    void index(std::uint32_t number);
    [[nodiscard]] std::vector<const RtpStream*> chain(const std::uint32_t* head, std::uint32_t Links::* next,
                                                      std::int64_t first_ns, std::int64_t last_ns) const;

    std::vector<Counted> streams_;
    std::vector<Links> links_;  ///< one for each stream
    std::unordered_map<Key, std::uint32_t, KeyHash> current_;
    Heads by_source_, by_destination_;
    std::unordered_map<Key, std::uint32_t, KeyHash> by_hosts_;  ///< ports 0
};

}  // namespace natkit::explain
