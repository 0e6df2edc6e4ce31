#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace natkit::rtp {

/// What a sender says of itself (RFC 3550 section 6.4.1).
struct SenderInfo {
    std::uint32_t ntp_seconds = 0;   ///< since 1900
    std::uint32_t ntp_fraction = 0;  ///< in 1/2^32 s
    std::uint32_t timestamp = 0;
    std::uint32_t packets = 0;
    std::uint32_t octets = 0;  ///< of payload

    friend bool operator==(const SenderInfo&, const SenderInfo&) = default;
};

/// What a receiver says of one source.
struct ReportBlock {
    std::uint32_t ssrc = 0;          ///< of the source
    std::uint8_t fraction_lost = 0;  ///< in 1/256, since the report before
    std::int32_t lost = 0;           ///< in all; negative where there were duplicates
    std::uint32_t highest_sequence = 0;
    std::uint32_t jitter = 0;             ///< in units of the stream's clock
    std::uint32_t last_report = 0;        ///< of the source: the middle of its NTP time
    std::uint32_t since_last_report = 0;  ///< in 1/65536 s

    friend bool operator==(const ReportBlock&, const ReportBlock&) = default;
};

/// A sender or receiver report.
struct Report {
    std::uint8_t packet_type = 0;  ///< 200 SR, 201 RR
    std::uint32_t ssrc = 0;        ///< of who reports
    std::optional<SenderInfo> sender;
    std::size_t count = 0;
    std::array<ReportBlock, 31> blocks{};  ///< the first `count`

    [[nodiscard]] std::span<const ReportBlock> sources() const noexcept { return std::span(blocks).first(count); }
};

/// The first report of a compound in clear. Nothing unless each packet of it passes the checks of RFC 3550 appendix
/// A.2, which SRTCP does not, as its packets but the first header are encrypted; nor where it has no report.
[[nodiscard]] std::optional<Report> read_report(std::span<const std::uint8_t> compound) noexcept;

}  // namespace natkit::rtp
