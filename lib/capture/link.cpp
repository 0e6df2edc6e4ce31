#include "link.hpp"

namespace natkit::capture {

std::optional<Bytes> unwrap_link(int link_type, Bytes bytes) {
    std::size_t skip = 0;
    switch (link_type) {
        case link_ethernet:
            if (bytes.size() < 14) return std::nullopt;
            return unwrap_ethernet(get16(bytes, 12), bytes.subspan(14));
        case link_cooked:
            if (bytes.size() < 16) return std::nullopt;
            return unwrap_ethernet(get16(bytes, 14), bytes.subspan(16));
        case link_cooked2:
            if (bytes.size() < 20) return std::nullopt;
            return unwrap_ethernet(get16(bytes, 0), bytes.subspan(20));
        case link_null:
        case link_loop: skip = 4; break;  // the address family's number differs between systems: the IP header tells
        case link_raw:
        case link_raw_bsd:
        case link_raw_openbsd:
        case link_ipv4:
        case link_ipv6: break;
        default: return std::nullopt;
    }
    if (bytes.size() < skip) return std::nullopt;
    return bytes.subspan(skip);
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
            case 0x8864:  // PPPoE session
                if (bytes.size() < 8 || (get16(bytes, 6) != 0x0021 && get16(bytes, 6) != 0x0057)) return std::nullopt;
                return bytes.subspan(8);
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
