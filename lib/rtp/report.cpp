#include "natkit/rtp/report.hpp"

#include "natkit/base/octets.hpp"

namespace natkit::rtp {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t sender_report = 200;
constexpr std::uint8_t receiver_report = 201;
constexpr std::uint8_t first_type = 192;
constexpr std::uint8_t last_type = 223;
constexpr std::size_t header_size = 4;
constexpr std::size_t ssrc_size = 4;
constexpr std::size_t sender_info_size = 20;
constexpr std::size_t block_size = 24;

/// The length of the packet that `rest` begins with; 0: it is none of RTCP in clear.
std::size_t length_of(Bytes rest) noexcept {
    if (rest.size() < header_size || rest[0] >> 6U != 2 || rest[1] < first_type || rest[1] > last_type) return 0;
    const std::size_t length = header_size + 4 * std::size_t{get16(rest, 2)};
    // Only the last one may be padded.
    const bool padded = (rest[0] & 0x20U) != 0;
    return length > rest.size() || (padded && length != rest.size()) ? 0 : length;
}

ReportBlock read_block(Bytes bytes) noexcept {
    constexpr std::uint32_t sign = 0x800000;
    const std::uint32_t lost = get32(bytes, 4) & 0xffffffU;
    return {.ssrc = get32(bytes, 0),
            .fraction_lost = bytes[4],
            .lost = static_cast<std::int32_t>(lost ^ sign) - static_cast<std::int32_t>(sign),
            .highest_sequence = get32(bytes, 8),
            .jitter = get32(bytes, 12),
            .last_report = get32(bytes, 16),
            .since_last_report = get32(bytes, 20)};
}

/// Nothing where the packet is shorter than it says.
std::optional<Report> read_one(Bytes packet) noexcept {
    Report report{.packet_type = packet[1], .ssrc = 0, .sender = {}, .count = packet[0] & 0x1fU};
    const bool sender = report.packet_type == sender_report;
    const std::size_t fixed = header_size + ssrc_size + (sender ? sender_info_size : 0);
    if (packet.size() < fixed + report.count * block_size) return std::nullopt;
    report.ssrc = get32(packet, header_size);
    if (sender) {
        report.sender = {.ntp_seconds = get32(packet, 8),
                         .ntp_fraction = get32(packet, 12),
                         .timestamp = get32(packet, 16),
                         .packets = get32(packet, 20),
                         .octets = get32(packet, 24)};
    }
    for (std::size_t i = 0; i < report.count; ++i) {
        report.blocks[i] = read_block(packet.subspan(fixed + i * block_size, block_size));
    }
    return report;
}

}  // namespace

std::optional<Report> read_report(Bytes compound) noexcept {
    std::optional<Report> found;
    for (Bytes rest = compound; !rest.empty();) {
        const std::size_t length = length_of(rest);
        if (length == 0) return std::nullopt;
        if (!found && (rest[1] == sender_report || rest[1] == receiver_report)) {
            found = read_one(rest.first(length));
            if (!found) return std::nullopt;
        }
        rest = rest.subspan(length);
    }
    return found;
}

}  // namespace natkit::rtp
