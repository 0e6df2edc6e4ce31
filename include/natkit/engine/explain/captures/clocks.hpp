#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "natkit/base/error.hpp"

namespace natkit::explain {

/// How far the clock of one capture is from another's, told by packets that both have: a box, or a way, lies between
/// them. Pure. Bounded: 131,072 packets of each.
class ClockMatch {
  public:
    /// A packet of the capture whose clock counts, and one of the other. `packet`: a number that is the same for the
    /// same packet, wherever it was captured; `sender`: one for each who sends, as the first capture sees it, for the
    /// way to the other capture takes time, and in both directions.
    void add_reference(std::uint64_t packet, std::uint64_t sender, std::int64_t time_ns);
    void add(std::uint64_t packet, std::int64_t time_ns);

    struct Offset {
        std::int64_t ns = 0;       ///< what the other clock shows more than the one that counts, at from_ns
        std::size_t packets = 0;   ///< that both have
        double rate = 0;           ///< that much faster the other clock goes: 0.00005 where it gains 50 µs a second
        std::int64_t from_ns = 0;  ///< by the other clock

        /// By the clock that counts.
        [[nodiscard]] std::int64_t corrected(std::int64_t other_ns) const noexcept {
            return other_ns - ns - static_cast<std::int64_t>(rate * static_cast<double>(other_ns - from_ns));
        }
    };
    /// Quartz clocks drift apart by some ten millionths: that is told by the packets of one sender, where they are a
    /// minute apart. The rest is in the middle of what the senders' packets say, each by its median. Nothing where
    /// fewer than three packets are in both, or less than 60 % of them agree within a second: one is then sent again in
    /// the other, at most.
    [[nodiscard]] std::optional<Offset> offset() const;

  private:
    struct Seen {
        std::uint64_t sender = 0;
        std::int64_t time_ns = 0;
    };
    struct Pair {
        std::uint64_t sender = 0;
        std::int64_t reference_ns = 0, offset_ns = 0;
    };
    [[nodiscard]] static double rate_of(const std::vector<Pair>& pairs);

    std::unordered_map<std::uint64_t, Seen> reference_;
    std::unordered_map<std::uint64_t, std::int64_t> other_;
};

/// A capture, and how far its clock is from that of the first of its group.
struct JoinedFile {
    std::string path;
    ClockMatch::Offset clock = {};  ///< with the packets it has in common with those before it
};

/// Captures of one thing, to be read as one.
using CaptureGroup = std::vector<JoinedFile>;

/// Puts files that are captures and have packets in common (a SIP message by Call-ID, CSeq and method or status, RTP by
/// SSRC, number and time stamp) into one group, in the order given; any other is a group by itself. Each capture is
/// read once for that; what cannot be read is not told here.
[[nodiscard]] std::vector<CaptureGroup> group_captures(const std::vector<std::string>& files);

}  // namespace natkit::explain
