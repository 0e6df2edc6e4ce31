#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// A look at the first bytes of media packets. Total: any bytes give a value or nothing; nothing is copied.
namespace natkit::rtp {

/// What a datagram on a media port is, by its first bytes (RFC 7983 section 7, RFC 5761 section 4).
enum class Kind : std::uint8_t {
    rtp,
    rtcp,
    stun,
    dtls,
    other,  ///< ZRTP, keepalives, T.38, …
};

[[nodiscard]] Kind kind_of(std::span<const std::uint8_t> bytes) noexcept;
/// Surer than kind_of: with the magic cookie of RFC 8489 section 5.
[[nodiscard]] bool is_stun(std::span<const std::uint8_t> bytes) noexcept;

/// The fixed header (RFC 3550 section 5.1).
struct RtpHeader {
    std::uint8_t payload_type = 0;
    bool marker = false;
    std::uint16_t sequence = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t ssrc = 0;
    std::size_t payload_offset = 0;  ///< after CSRC list and extension
    std::size_t payload_size = 0;    ///< without padding; encrypted payloads count their tag

    friend bool operator==(const RtpHeader&, const RtpHeader&) = default;
};

/// Nothing unless version is 2 and CSRC list, extension and padding lie inside the datagram.
[[nodiscard]] std::optional<RtpHeader> read_rtp(std::span<const std::uint8_t> bytes) noexcept;

/// The first packet of a compound (RFC 3550 section 6.1). SRTCP keeps these bytes in clear too.
struct RtcpHeader {
    std::uint8_t packet_type = 0;  ///< 200 SR, 201 RR, …
    std::uint32_t ssrc = 0;        ///< of the sender

    friend bool operator==(const RtcpHeader&, const RtcpHeader&) = default;
};

[[nodiscard]] std::optional<RtcpHeader> read_rtcp(std::span<const std::uint8_t> bytes) noexcept;

}  // namespace natkit::rtp
