#pragma once

#include <cstdint>
#include <optional>

#include "natkit/base/time.hpp"
#include "natkit/rtp/packet.hpp"

namespace natkit::rtp {

/// Loss and jitter of one received RTP stream (RFC 3550 section 6.4.1 and appendix A). A new SSRC or a jump of the
/// sequence starts a new count; what was lost before stays in the sum. Regular value, no allocation.
class ReceiverStatistics {
  public:
    void on_packet(const RtpHeader& header, Instant now) noexcept;

    /// Packets expected and not received; never negative (duplicates are not counted against it).
    [[nodiscard]] std::uint64_t lost() const noexcept;
    [[nodiscard]] std::uint64_t expected() const noexcept;
    /// Interarrival jitter. Absent until the clock rate is known: by payload type (RFC 3551), else measured over the
    /// first second.
    [[nodiscard]] std::optional<Duration> jitter() const noexcept;
    [[nodiscard]] std::optional<std::uint32_t> ssrc() const noexcept;
    [[nodiscard]] std::uint8_t payload_type() const noexcept { return payload_type_; }
    [[nodiscard]] std::uint32_t clock_rate() const noexcept { return clock_rate_; }  ///< Hz; 0 while unknown

    /// Where the present count stands, for somebody else who counts on: sequences are extended by their cycles.
    struct Progress {
        std::uint32_t ssrc = 0;
        std::uint32_t start_sequence = 0;  ///< that before the first packet that somebody else has counted
        std::uint32_t sequence = 0;        ///< the highest
        std::uint32_t skipped = 0;         ///< by jumps of the sequence since: begun anew there, not lost
        std::uint64_t packets = 0;         ///< counted by somebody else
        std::uint32_t timestamp = 0;       ///< of the last packet
        Instant arrival{};
        Duration jitter{};
    };
    [[nodiscard]] Progress progress() const noexcept;
    /// Takes over what somebody else has counted since. Of another SSRC, or where nothing was counted, it begins there.
    void carry_on(const Progress& next) noexcept;

  private:
    void restart(const RtpHeader& header, Instant now) noexcept;
    void measure_rate(const RtpHeader& header, Instant now) noexcept;
    [[nodiscard]] std::uint64_t expected_now() const noexcept;

    bool started_ = false;
    std::uint8_t payload_type_ = 0;
    std::uint32_t ssrc_ = 0;
    std::uint16_t base_sequence_ = 0;
    std::uint16_t highest_sequence_ = 0;
    std::uint32_t cycles_ = 0;       ///< times the sequence wrapped
    std::uint32_t skipped_ = 0;      ///< by jumps within somebody else's count
    std::uint32_t base_cycles_ = 0;  ///< those of somebody else's count before this one began
    std::uint64_t received_ = 0;     ///< of this count
    std::uint64_t past_lost_ = 0;    ///< of earlier counts
    std::uint64_t past_expected_ = 0;

    std::uint32_t clock_rate_ = 0;  ///< Hz; 0 while unknown
    std::uint32_t first_timestamp_ = 0;
    Instant first_arrival_{};
    std::uint32_t last_timestamp_ = 0;
    Instant last_arrival_{};
    double jitter_ = 0;  ///< seconds
};

/// The clock rate of a static payload type in Hz (RFC 3551 table 4 and 5), 0 for dynamic and unassigned ones.
[[nodiscard]] std::uint32_t static_clock_rate(std::uint8_t payload_type) noexcept;
/// The usual clock rate in Hz that a measured one is within 8 % of; 0: none.
[[nodiscard]] std::uint32_t usual_clock_rate(double measured) noexcept;

}  // namespace natkit::rtp
