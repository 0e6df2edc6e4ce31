#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "natkit/diagnose/facts.hpp"

namespace natkit::diagnose {

/// What went one direction of one stream.
struct Traffic {
    End from{};
    std::optional<Endpoint> told;   ///< where the sender was told to send
    std::uint64_t sent = 0;         ///< RTP packets to there in the capture, each once
    std::uint64_t arrived = 0;      ///< on the last hop to the receiver; the same without a relay
    std::vector<Endpoint> sources;  ///< where those came from; at most 8
    bool relayed = false;           ///< the sender was told another endpoint than the receiver's own
};

/// A party's media description as it wrote it, and as the other party got it. Null: not in the capture.
struct Described {
    const MediaDescription* written = nullptr;
    const MediaDescription* delivered = nullptr;
};

/// One direction of one stream, with all that is known about it.
struct MediaDirection {
    Traffic traffic;
    End to{};
    Described sender, receiver;
    std::vector<const RtpStream*> sent;     ///< to where the sender was told
    std::vector<const RtpStream*> arrived;  ///< from the relay to the receiver; without a relay the same as `sent`
};

struct Stream {
    std::string kind;  ///< "audio"
    MediaDirection to_callee, to_caller;
};

/// One call as the rules look at it: its facts, sorted by stream and direction. Refers to the facts.
class Case {
  public:
    explicit Case(const CallFacts& facts);

    [[nodiscard]] const Call& call() const noexcept { return facts_.call; }
    [[nodiscard]] const std::vector<Stream>& streams() const noexcept { return streams_; }  ///< rejected ones left out
    [[nodiscard]] bool media_seen() const noexcept { return media_seen_; }  ///< where somebody was told to send it

    /// RTP streams by their ends, in the order in which they began.
    [[nodiscard]] std::vector<const RtpStream*> to(const Endpoint& destination) const;
    [[nodiscard]] std::vector<const RtpStream*> from(const Endpoint& source) const;
    [[nodiscard]] std::vector<const RtpStream*> between(const IpAddress& source, const IpAddress& destination) const;

    /// Where the signalling of a party comes from.
    [[nodiscard]] std::optional<IpAddress> visible(End end) const;
    /// In a range that exists behind a NAT only, or on the LAN.
    [[nodiscard]] bool is_private(const IpAddress& address) const;

  private:
    [[nodiscard]] MediaDirection direction(std::size_t stream, End from) const;

    const CallFacts& facts_;
    std::vector<const RtpStream*> by_source_, by_destination_;
    std::vector<Stream> streams_;
    bool media_seen_ = false;
};

/// RTP packets of these. Of the same stream seen on both sides of a NAT at the same time, one counts.
[[nodiscard]] std::uint64_t packets_of(const std::vector<const RtpStream*>& streams);

}  // namespace natkit::diagnose
