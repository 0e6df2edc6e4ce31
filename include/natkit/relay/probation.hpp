#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"

namespace natkit::relay {

/// What ties a packet to a stream.
struct StreamMark {
    std::uint32_t ssrc = 0;
    std::optional<std::uint16_t> sequence;  ///< absent for RTCP, which has none

    friend bool operator==(const StreamMark&, const StreamMark&) = default;
};

/// The SSRCs that a description announces for a stream (a=ssrc, RFC 5576): the first four; more are not kept.
struct Ssrcs {
    std::array<std::uint32_t, 4> values{};
    std::uint8_t count = 0;

    void add(std::uint32_t ssrc) noexcept {
        if (count < values.size() && !contains(ssrc)) values[count++] = ssrc;
    }
    [[nodiscard]] bool contains(std::uint32_t ssrc) const noexcept {
        for (std::size_t i = 0; i < count; ++i) {
            if (values[i] == ssrc) return true;
        }
        return false;
    }
    friend bool operator==(const Ssrcs&, const Ssrcs&) = default;
};

/// What speaks for a source while none is confirmed, least first: RTP before anything else, then the port that was
/// signalled, then an SSRC that was announced.
enum class Standing : std::uint8_t { none, signalled_port, rtp, announced_rtp, signalled_rtp };

/// RFC 3550 appendix A.1, MIN_SEQUENTIAL, and as Asterisk's strict RTP counts by default.
inline constexpr std::uint8_t probation_packets = 4;
/// How long a source that has sent keeps its place among the candidates, and others that rank below it waiting.
inline constexpr Duration candidate_time = std::chrono::seconds(2);

/// The sources that may yet turn out to be the party: their RTP packets in sequence, counted per source and SSRC. At
/// most four, one place of which is kept for the signalled port, so that a crowd of others cannot keep that out. Pure:
/// no clock, no allocation.
class Probation {
  public:
    /// Whether the source has now sent `probation_packets` in sequence. A source that finds no place is not counted;
    /// the `holder` of the latch always finds one.
    [[nodiscard]] bool count(const Endpoint& source, const StreamMark& mark, Standing standing, bool holder,
                             Instant now) noexcept;
    /// Whether somebody that ranks above has sent lately.
    [[nodiscard]] bool outranked(Standing standing, Instant now) const noexcept;
    void clear() noexcept { *this = Probation(); }

  private:
    struct Candidate {
        Endpoint source;
        std::uint32_t ssrc = 0;
        std::uint16_t sequence = 0;
        std::uint8_t in_sequence = 0;  ///< 0: the place is free
        Standing standing{};
        Instant heard{};
    };
    [[nodiscard]] Candidate* place_for(const Endpoint& source, std::uint32_t ssrc, bool signalled_port, bool holder,
                                       Instant now) noexcept;

    std::array<Candidate, 4> candidates_;  ///< the first is for the signalled port
};

}  // namespace natkit::relay
