#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "natkit/base/hash.hpp"
#include "natkit/diagnose/facts.hpp"

namespace natkit::explain {

using diagnose::RtpStream;

/// Who sent media to whom in a capture. An RTP stream is what one source (SSRC) sent one way, and ends with a pause of
/// 60 s; other packets of that way count with the stream that was there last. Bounded: 65,536 streams, the oldest give
/// way, and 16 MB for when their packets came; no packet costs more than a few look-ups on the average.
class RtpStreams {
  public:
    /// `hops`: its time to live, or hop limit; 0: not known.
    void on_packet(std::uint64_t frame, const Endpoint& source, const Endpoint& destination, std::int64_t time_ns,
                   std::span<const std::uint8_t> payload, std::uint8_t hops = 0);

    /// Streams to or from an endpoint that overlap the time from `first_ns` to `last_ns`, in the order in which they
    /// began; all of one array. Of an endpoint that has more, the newest 1024 are looked at.
    [[nodiscard]] std::vector<const RtpStream*> to(const Endpoint& endpoint, std::int64_t first_ns,
                                                   std::int64_t last_ns) const;
    [[nodiscard]] std::vector<const RtpStream*> from(const Endpoint& endpoint, std::int64_t first_ns,
                                                     std::int64_t last_ns) const;
    /// The same by addresses, whatever the ports.
    [[nodiscard]] std::vector<const RtpStream*> between(const IpAddress& source, const IpAddress& destination,
                                                        std::int64_t first_ns, std::int64_t last_ns) const;
    /// The same by the source of RTP.
    [[nodiscard]] std::vector<const RtpStream*> of_source(std::uint32_t ssrc, std::int64_t first_ns,
                                                          std::int64_t last_ns) const;
    /// Streams that go in a circle, with at least so many packets that had passed before.
    [[nodiscard]] std::vector<const RtpStream*> repeating(std::uint64_t least) const;
    [[nodiscard]] std::size_t size() const noexcept { return streams_.size(); }

  private:
    struct Jitter {
        std::uint32_t clock = 0;    ///< time stamps a second; 0: not known yet
        std::uint32_t stamp = 0;    ///< of the packet before
        std::uint32_t last_us = 0;  ///< when that came, modulo 2^32
        float us = 0;
    };
    /// A stream, and which of its packets have passed.
    struct Counted : RtpStream {
        std::uint64_t recent = 0;  ///< a bit for each of the 64 sequence numbers up to `newest`
        std::uint16_t newest = 0;
        std::uint16_t before = 0;                ///< the sequence number of the packet before
        std::optional<std::uint16_t> left = {};  ///< `newest` before it counted anew
        std::int64_t last_rtp_ns = 0;
        Jitter jitter = {};
    };
    struct Key {
        Endpoint source = {}, destination = {};
        std::uint32_t ssrc = 0;  ///< 0: packets that are no RTP, or of no account
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return (EndpointHash()(key.source) * hash::golden + EndpointHash()(key.destination)) * hash::golden +
                   key.ssrc;
        }
    };
    static constexpr std::uint32_t none = 0xffffffff;
    /// The newest stream of each key, by its number: the streams themselves tell their keys, so that a stream costs a
    /// cell or two.
    class Newest {
      public:
        using KeyOf = Key (*)(const RtpStream&);
        explicit Newest(KeyOf key_of) : key_of_(key_of) {}
        [[nodiscard]] std::uint32_t find(const Key& key, const std::vector<Counted>& streams) const;
        /// The one that was the newest before; `none`: there was none.
        std::uint32_t put(std::uint32_t number, const std::vector<Counted>& streams);
        void clear();

      private:
        [[nodiscard]] std::size_t cell_of(const Key& key, const std::vector<Counted>& streams) const;
        void grow(const std::vector<Counted>& streams);

        KeyOf key_of_;
        std::vector<std::uint32_t> cells_;  ///< a power of two of them, or none; at least half of them free
        std::size_t used_ = 0;
    };
    /// Streams of one source, one destination or one pair of hosts, newest first: each knows the one before it.
    struct Links {
        std::uint32_t source, destination, hosts, ssrc;
    };
    [[nodiscard]] Counted& stream_for(const Key& key, std::int64_t time_ns);
    void read_rtp(std::span<const std::uint8_t> packet, Counted& stream, std::uint64_t frame, std::int64_t time_ns);
    static void measure(Counted& stream, std::uint8_t number, std::uint32_t stamp, std::int64_t time_ns);
    void count(Counted& stream, std::int64_t time_ns);
    void make_room(std::int64_t now_ns);
    void index(std::uint32_t number);
    [[nodiscard]] std::vector<const RtpStream*> chain(std::uint32_t head, std::uint32_t Links::* next,
                                                      std::int64_t first_ns, std::int64_t last_ns) const;

    std::vector<Counted> streams_;
    std::vector<Links> links_;  ///< one for each stream
    std::size_t slots_ = 0;     ///< of all streams
    Newest by_media_{[](const RtpStream& one) {
        return Key{.source = one.source, .destination = one.destination, .ssrc = one.ssrc};
    }};
    Newest by_way_{[](const RtpStream& one) { return Key{.source = one.source, .destination = one.destination}; }};
    Newest by_source_{[](const RtpStream& one) { return Key{.source = one.source}; }};
    Newest by_destination_{[](const RtpStream& one) { return Key{.destination = one.destination}; }};
    Newest by_hosts_{[](const RtpStream& one) {
        return Key{.source = {.address = one.source.address}, .destination = {.address = one.destination.address}};
    }};
    Newest by_ssrc_{[](const RtpStream& one) { return Key{.ssrc = one.ssrc}; }};
};

}  // namespace natkit::explain
