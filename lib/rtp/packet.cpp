#include "natkit/rtp/packet.hpp"

#include "natkit/base/octets.hpp"

namespace natkit::rtp {
namespace {

constexpr std::size_t rtp_fixed = 12;
constexpr std::size_t rtcp_fixed = 8;

/// RFC 5761 section 4: RTP payload types 64-95 are not used where RTCP may share the port.
bool is_rtcp_type(std::uint8_t second) noexcept {
    return second >= 192 && second <= 223;
}

}  // namespace

bool is_stun(std::span<const std::uint8_t> bytes) noexcept {
    return bytes.size() >= 20 && bytes[0] < 4 && get32(bytes, 4) == 0x2112a442;
}

Kind kind_of(std::span<const std::uint8_t> bytes) noexcept {
    if (bytes.size() < 4) return Kind::other;
    const std::uint8_t first = bytes[0];
    if (first <= 3) return bytes.size() >= 20 ? Kind::stun : Kind::other;
    if (first >= 20 && first <= 63) return Kind::dtls;
    if (first < 128 || first > 191) return Kind::other;
    if (is_rtcp_type(bytes[1])) return bytes.size() >= rtcp_fixed ? Kind::rtcp : Kind::other;
    return bytes.size() >= rtp_fixed ? Kind::rtp : Kind::other;
}

std::optional<RtpHeader> read_rtp(std::span<const std::uint8_t> bytes) noexcept {
    if (kind_of(bytes) != Kind::rtp) return std::nullopt;
    std::size_t offset = rtp_fixed + 4 * std::size_t{bytes[0] & 0x0fU};
    if ((bytes[0] & 0x10) != 0) {
        if (offset + 4 > bytes.size()) return std::nullopt;
        offset += 4 + 4 * std::size_t{get16(bytes, offset + 2)};
    }
    if (offset > bytes.size()) return std::nullopt;
    std::size_t size = bytes.size() - offset;
    if ((bytes[0] & 0x20) != 0) {
        // In SRTP the padding count is encrypted, so a count that does not fit is no reason to refuse the packet.
        const std::size_t padding = bytes.back();
        if (padding > 0 && padding <= size) size -= padding;
    }
    return RtpHeader{.payload_type = static_cast<std::uint8_t>(bytes[1] & 0x7f),
                     .marker = (bytes[1] & 0x80) != 0,
                     .sequence = get16(bytes, 2),
                     .timestamp = get32(bytes, 4),
                     .ssrc = get32(bytes, 8),
                     .payload_offset = offset,
                     .payload_size = size};
}

std::optional<RtcpHeader> read_rtcp(std::span<const std::uint8_t> bytes) noexcept {
    if (kind_of(bytes) != Kind::rtcp) return std::nullopt;
    return RtcpHeader{.packet_type = bytes[1], .ssrc = get32(bytes, 4)};
}

}  // namespace natkit::rtp
