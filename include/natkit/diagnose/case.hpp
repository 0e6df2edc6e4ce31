#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "natkit/diagnose/facts.hpp"
#include "natkit/diagnose/paths.hpp"
#include "natkit/diagnose/phases.hpp"

namespace natkit::diagnose {

/// What went one direction of one stream.
struct Traffic {
    End from{};
    std::optional<Endpoint> told;      ///< where the sender was told to send, last
    std::uint64_t sent = 0;            ///< RTP packets of the sender in the capture, each once, wherever they go
    std::uint64_t arrived = 0;         ///< at the receiver, as far as the capture can tell
    std::vector<Endpoint> sources;     ///< where those came from; at most 8
    bool relayed = false;              ///< the sender was told another endpoint than the receiver's own
    std::uint64_t missing = 0;         ///< by the sequence numbers of what arrived
    std::string codec;                 ///< of most of them, by the descriptions; empty: not known
    std::vector<std::uint32_t> ssrcs;  ///< sources of RTP; at most 8
    std::optional<double> jitter_ms;   ///< interarrival (RFC 3550 section 6.4.1), of what arrived
    std::optional<double> reported_jitter_ms;  ///< by its receiver (RTCP), latest
    std::optional<unsigned> reported_loss;     ///< the same, per cent
};

/// The same for one phase.
struct PhaseTraffic {
    std::int64_t from_ns = 0, to_ns = 0;
    std::uint64_t frame = 0;
    bool meant = false;  ///< by both descriptions media flows this way
    std::uint64_t sent = 0, arrived = 0;
    std::optional<double> jitter_ms;
};

/// A stream that goes where it does not arrive.
struct Astray {
    Reach reach{};
    const Path* path = nullptr;
    std::uint64_t packets = 0;
};

/// When one direction was to be heard, and was not.
struct Dead {
    std::size_t phase = 0;
    std::int64_t from_ns = 0, to_ns = 0;
    bool sent = false;             ///< its sender, or a relay for it, sent on
    bool before = false;           ///< something arrived before that, in this phase or an earlier one
    std::vector<Astray> astray;    ///< where it went, most packets first
    std::uint64_t packets = 0;     ///< that were sent in vain
    std::uint64_t opposite = 0;    ///< that arrived at the other party meanwhile
    std::uint64_t last_frame = 0;  ///< in which something arrived; 0: none
};

/// One direction of one stream, with all that is known about it.
struct MediaDirection {
    End from{}, to{};
    std::size_t line = 0;
    Traffic traffic;
    std::vector<PhaseTraffic> phases;
    std::optional<Dead> dead;  ///< for the longest time
    /// As each party wrote it and the other got it, last. Null: not in the capture.
    const MediaDescription *sender_written = nullptr, *sender_delivered = nullptr;
    const MediaDescription *receiver_written = nullptr, *receiver_delivered = nullptr;
    std::vector<const Path*> paths;

    /// The streams that its sender sends, and those that a relay sends for it.
    [[nodiscard]] std::vector<const RtpStream*> sent() const;
    [[nodiscard]] std::vector<const RtpStream*> forwarded() const;
};

struct Stream {
    std::string kind;  ///< "audio"
    MediaDirection to_callee, to_caller;
};

/// One call as the rules look at it: its facts, sorted by stream, direction and phase. Refers to the facts.
class Case {
  public:
    explicit Case(const CallFacts& facts);

    [[nodiscard]] const CallFacts& facts() const noexcept { return facts_; }
    [[nodiscard]] const Call& call() const noexcept { return facts_.call; }
    [[nodiscard]] const std::vector<Phase>& phases() const noexcept { return phases_; }
    [[nodiscard]] const Paths& paths() const noexcept { return paths_; }
    [[nodiscard]] const std::vector<Stream>& streams() const noexcept { return streams_; }  ///< rejected ones left out
    [[nodiscard]] bool media_seen() const noexcept { return !paths_.all().empty(); }
    [[nodiscard]] std::int64_t end_ns() const noexcept { return end_ns_; }  ///< of the call, or of the capture

    /// RTP streams by their ends, in the order in which they began.
    [[nodiscard]] std::vector<const RtpStream*> to(const Endpoint& destination) const;
    [[nodiscard]] std::vector<const RtpStream*> between(const IpAddress& source, const IpAddress& destination) const;

    /// Where the signalling of a party comes from.
    [[nodiscard]] std::optional<IpAddress> visible(End party) const;
    /// In a range that exists behind a NAT only, or on the LAN.
    [[nodiscard]] bool is_private(const IpAddress& address) const { return paths_.is_private(address); }
    /// Seconds since the call began.
    [[nodiscard]] double at(std::int64_t time_ns) const;

  private:
    void cut_at_moves();
    [[nodiscard]] MediaDirection direction(std::size_t line, End from) const;
    void find_dead(MediaDirection& direction, const MediaDirection& opposite) const;
    [[nodiscard]] std::optional<Dead> dead_in(const MediaDirection& direction, const MediaDirection& opposite,
                                              std::size_t phase) const;
    void find_astray(const MediaDirection& direction, Dead& dead) const;

    const CallFacts& facts_;
    std::int64_t end_ns_;
    std::vector<Phase> phases_;
    Paths paths_;
    std::vector<Stream> streams_;
};

/// It is dead since its receiver has described itself anew, by another endpoint.
[[nodiscard]] bool dead_since_described(const Case& one, const MediaDirection& direction);
/// Whether media is to flow in that phase: both sides say so.
[[nodiscard]] bool meant(const Phase& phase, std::size_t line, End from);

}  // namespace natkit::diagnose
