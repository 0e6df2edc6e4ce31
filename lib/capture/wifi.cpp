// IEEE 802.11 data frames, and the headers that capturing programs put before them. Numbers are little endian.
#include "link.hpp"

namespace natkit::capture {
namespace {

constexpr std::size_t ppi_header = 8;

std::uint16_t little16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] | bytes[at + 1] << 8);
}

std::uint32_t little32(Bytes bytes, std::size_t at) {
    return little16(bytes, at) | static_cast<std::uint32_t>(little16(bytes, at + 2)) << 16;
}

/// The flags field of a radiotap header: behind the bitmaps, and a time of 8 bytes in its place if there is one.
std::uint8_t radiotap_flags(Bytes header) {
    const std::uint32_t present = little32(header, 4);
    if ((present & 2U) == 0) return 0;
    std::size_t at = 8;
    for (std::uint32_t bitmap = present; (bitmap & 0x80000000U) != 0; at += 4) {
        if (at + 4 > header.size()) return 0;
        bitmap = little32(header, at);
    }
    if ((present & 1U) != 0) at = (at + 7) / 8 * 8 + 8;
    return at < header.size() ? header[at] : std::uint8_t{0};
}

/// LLC with SNAP, IEEE 802.2.
std::optional<Bytes> unwrap_snap(Bytes bytes) {
    if (bytes.size() < 8 || bytes[0] != 0xaa || bytes[1] != 0xaa || bytes[2] != 3) return std::nullopt;
    return unwrap_ethernet(get16(bytes, 6), bytes.subspan(8));
}

}  // namespace

/// Addresses, length, content; each but the last fills a multiple of four bytes.
std::optional<Bytes> take_subframe(Bytes& more) {
    constexpr std::size_t subframe_header = 14;
    const Bytes bytes = more;
    more = {};
    if (bytes.size() < subframe_header) return std::nullopt;
    const std::size_t length = std::min<std::size_t>(get16(bytes, 12), bytes.size() - subframe_header);
    const std::size_t whole = (subframe_header + length + 3) / 4 * 4;
    if (whole < bytes.size()) more = bytes.subspan(whole);
    return unwrap_snap(bytes.subspan(subframe_header, length));
}

std::optional<Bytes> unwrap_wifi(Bytes bytes, bool padded, Bytes& more) {
    if (bytes.size() < 24) return std::nullopt;
    const unsigned control = bytes[0];
    const unsigned flags = bytes[1];
    const bool data = (control & 0x0fU) == 0x08 && (control & 0x40U) == 0;  // version 0, type 2, not without data
    const bool encrypted = (flags & 0x40U) != 0;
    const bool fragment = (flags & 0x04U) != 0 || (bytes[22] & 0x0fU) != 0;
    if (!data || encrypted || fragment) return std::nullopt;
    std::size_t header = 24;
    if ((flags & 3U) == 3) header += 6;  // from one access point to another: a fourth address
    bool aggregate = false;
    if ((control & 0x80U) != 0) {  // quality of service
        if (bytes.size() < header + 2) return std::nullopt;
        aggregate = (bytes[header] & 0x80U) != 0;
        header += (flags & 0x80U) != 0 ? 6 : 2;
    }
    if (padded) header = (header + 3) / 4 * 4;
    if (bytes.size() < header) return std::nullopt;
    if (!aggregate) return unwrap_snap(bytes.subspan(header));
    more = bytes.subspan(header);
    return take_subframe(more);
}

std::optional<Bytes> unwrap_radiotap(Bytes bytes, Bytes& more) {
    if (bytes.size() < 8 || bytes[0] != 0) return std::nullopt;
    const std::size_t header = little16(bytes, 2);
    if (header < 8 || bytes.size() < header) return std::nullopt;
    const std::uint8_t flags = radiotap_flags(bytes.first(header));
    if ((flags & 0x40U) != 0) return std::nullopt;  // its checksum failed
    return unwrap_wifi(bytes.subspan(header), (flags & 0x20U) != 0, more);
}

std::optional<Bytes> unwrap_ppi(Bytes bytes, Sighting& seen, Bytes& more) {
    if (bytes.size() < ppi_header) return std::nullopt;
    const std::size_t header = little16(bytes, 2);
    const auto link_type = static_cast<int>(little32(bytes, 4));
    if (header < ppi_header || bytes.size() < header || link_type == link_ppi) return std::nullopt;
    return unwrap_link(link_type, bytes.subspan(header), seen, more);
}

}  // namespace natkit::capture
