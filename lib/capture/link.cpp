#include "link.hpp"

#include <array>

namespace natkit::capture {
namespace {

constexpr std::size_t loopback_header = 4;
constexpr std::size_t pppoe_header = 6;

/// The packet type of a cooked capture (sockaddr_ll of packet(7)).
Direction direction_of(unsigned type) {
    constexpr std::array words = {Direction::to_us, Direction::broadcast, Direction::multicast, Direction::to_other,
                                  Direction::from_us};
    return type < words.size() ? words[type] : Direction::unknown;
}

/// RFC 1661: the protocol's number, behind address and control of RFC 1662 where they are there.
std::optional<Bytes> unwrap_ppp(Bytes bytes) {
    if (bytes.size() >= 2 && bytes[0] == 0xff && bytes[1] == 3) bytes = bytes.subspan(2);
    if (bytes.size() < 2 || (get16(bytes, 0) != 0x0021 && get16(bytes, 0) != 0x0057)) return std::nullopt;
    return bytes.subspan(2);
}

/// RFC 2516: a session's packets alone carry something.
std::optional<Bytes> unwrap_pppoe(Bytes bytes) {
    if (bytes.size() < pppoe_header || bytes[0] != 0x11 || bytes[1] != 0) return std::nullopt;
    return unwrap_ppp(bytes.subspan(pppoe_header));
}

std::optional<Bytes> unwrap_cooked(Bytes bytes, Sighting& seen) {
    if (bytes.size() < 16) return std::nullopt;
    seen.direction = direction_of(get16(bytes, 0));
    return unwrap_ethernet(get16(bytes, 14), bytes.subspan(16));
}

std::optional<Bytes> unwrap_cooked2(Bytes bytes, Sighting& seen) {
    if (bytes.size() < 20) return std::nullopt;
    seen.interface = get32(bytes, 4);
    seen.direction = direction_of(bytes[10]);
    return unwrap_ethernet(get16(bytes, 0), bytes.subspan(20));
}

}  // namespace

std::optional<Bytes> unwrap_link(int link_type, Bytes bytes, Sighting& seen, Bytes& more) {
    switch (link_type) {
        case link_ethernet:
            if (bytes.size() < 14) return std::nullopt;
            return unwrap_ethernet(get16(bytes, 12), bytes.subspan(14));
        case link_cooked: return unwrap_cooked(bytes, seen);
        case link_cooked2: return unwrap_cooked2(bytes, seen);
        case link_null:
        case link_loop:  // the address family's number differs between systems: the IP header tells
            if (bytes.size() < loopback_header) return std::nullopt;
            return bytes.subspan(loopback_header);
        case link_raw:
        case link_raw_bsd:
        case link_raw_openbsd:
        case link_ipv4:
        case link_ipv6: return bytes;
        case link_ppp:
        case link_ppp_hdlc: return unwrap_ppp(bytes);
        case link_ppp_ethernet: return unwrap_pppoe(bytes);
        case link_802_11: return unwrap_wifi(bytes, false, more);
        case link_radiotap: return unwrap_radiotap(bytes, more);
        case link_ppi: return unwrap_ppi(bytes, seen, more);
        default: return std::nullopt;
    }
}

std::optional<Bytes> unwrap_ethernet(unsigned type, Bytes bytes) {
    for (unsigned tags = 0; tags < most_levels; ++tags) {
        switch (type) {
            case 0x0800:
            case 0x86dd: return bytes;
            case 0x8100:  // 802.1Q and its stacked forms
            case 0x88a8:
            case 0x9100:
                if (bytes.size() < 4) return std::nullopt;
                type = get16(bytes, 2);
                bytes = bytes.subspan(4);
                break;
            case 0x8847:  // MPLS: labels up to the bottom of the stack, then IP
            case 0x8848:
                if (bytes.size() < 4) return std::nullopt;
                if ((bytes[2] & 1U) != 0) return bytes.subspan(4);
                bytes = bytes.subspan(4);
                break;
            case 0x8864: return unwrap_pppoe(bytes);
            default:  // 802.3 with LLC and SNAP
                if (type > 1500 || bytes.size() < 8 || bytes[0] != 0xaa || bytes[1] != 0xaa || bytes[2] != 3)
                    return std::nullopt;
                type = get16(bytes, 6);
                bytes = bytes.subspan(8);
                break;
        }
    }
    return std::nullopt;
}

}  // namespace natkit::capture
