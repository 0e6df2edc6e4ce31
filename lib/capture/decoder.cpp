#include "natkit/capture/decoder.hpp"

#include <algorithm>
#include <cstring>

namespace natkit::capture {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr unsigned most_levels = 8;
constexpr std::size_t most_fragmented = 128;
constexpr std::uint64_t fragment_frames = 100'000;  ///< older pieces are given up
constexpr std::uint32_t largest_datagram = 65'535;

enum LinkType : int {
    link_null = 0,
    link_ethernet = 1,
    link_raw_bsd = 12,
    link_raw_openbsd = 14,
    link_raw = 101,
    link_loop = 108,
    link_cooked = 113,
    link_ipv4 = 228,
    link_ipv6 = 229,
    link_cooked2 = 276,
};

enum Protocol : std::uint8_t {
    ip_hop_options = 0,
    ip_in_ip = 4,
    ip_tcp = 6,
    ip_udp = 17,
    ip_ipv6 = 41,
    ip_routing = 43,
    ip_fragment = 44,
    ip_gre = 47,
    ip_authentication = 51,
    ip_destination_options = 60,
};

std::uint16_t get16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::uint32_t get32(Bytes bytes, std::size_t at) {
    return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}

IpAddress address6(Bytes bytes, std::size_t at) {
    std::array<std::uint8_t, 16> raw{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), raw.size(), raw.begin());
    return IpAddress::v6(raw);
}

}  // namespace

std::optional<Datagram> Decoder::decode(const Packet& packet) {
    frame_ = packet.frame;
    return link(packet.link_type, packet.bytes, 0);
}

std::optional<Datagram> Decoder::link(int link_type, Bytes bytes, unsigned level) {
    std::size_t skip = 0;
    switch (link_type) {
        case link_ethernet:
            if (bytes.size() < 14) return std::nullopt;
            return ethernet_type(get16(bytes, 12), bytes.subspan(14), level);
        case link_cooked:
            if (bytes.size() < 16) return std::nullopt;
            return ethernet_type(get16(bytes, 14), bytes.subspan(16), level);
        case link_cooked2:
            if (bytes.size() < 20) return std::nullopt;
            return ethernet_type(get16(bytes, 0), bytes.subspan(20), level);
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
    return ip(bytes.subspan(skip), level);
}

std::optional<Datagram> Decoder::ethernet_type(unsigned type, Bytes bytes, unsigned level) {
    for (unsigned tags = 0; tags < most_levels; ++tags) {
        switch (type) {
            case 0x0800:
            case 0x86dd: return ip(bytes, level);
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
                if ((bytes[2] & 1U) != 0) return ip(bytes.subspan(4), level);
                bytes = bytes.subspan(4);
                break;
            case 0x8864:  // PPPoE session
                if (bytes.size() < 8 || (get16(bytes, 6) != 0x0021 && get16(bytes, 6) != 0x0057)) return std::nullopt;
                return ip(bytes.subspan(8), level);
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

std::optional<Datagram> Decoder::ip(Bytes bytes, unsigned level) {
    if (bytes.empty() || level >= most_levels) return std::nullopt;
    if (bytes[0] >> 4 == 4) return ipv4(bytes, level);
    if (bytes[0] >> 4 == 6) return ipv6(bytes, level);
    return std::nullopt;
}

std::optional<Datagram> Decoder::ipv4(Bytes bytes, unsigned level) {
    const std::size_t header = (bytes[0] & 15U) * 4U;
    if (header < 20 || bytes.size() < header) return std::nullopt;
    std::size_t total = get16(bytes, 2);
    if (total == 0) total = bytes.size();  // segmentation offload leaves it to the network card
    if (total < header) return std::nullopt;
    const bool cut = total > bytes.size();
    const Bytes payload = bytes.first(std::min(total, bytes.size())).subspan(header);
    source_ = IpAddress::v4(get32(bytes, 12));
    destination_ = IpAddress::v4(get32(bytes, 16));
    hops_ = bytes[8];
    const std::uint16_t position = get16(bytes, 6);
    const bool more = (position & 0x2000U) != 0;
    const std::uint32_t offset = (position & 0x1fffU) * 8U;
    if (more || offset != 0) {
        if (cut) return std::nullopt;
        return fragment({.source = source_, .destination = destination_, .id = get16(bytes, 4), .protocol = bytes[9]},
                        offset, more, payload, level);
    }
    return transport(bytes[9], payload, cut, level);
}

std::optional<Datagram> Decoder::ipv6(Bytes bytes, unsigned level) {
    if (bytes.size() < 40) return std::nullopt;
    const std::size_t length = get16(bytes, 4);
    const bool cut = length > bytes.size() - 40;
    source_ = address6(bytes, 8);
    destination_ = address6(bytes, 24);
    hops_ = bytes[7];
    std::uint8_t next = bytes[6];
    bytes = length == 0 ? bytes.subspan(40) : bytes.subspan(40, std::min(length, bytes.size() - 40));
    for (unsigned headers = 0; headers < most_levels; ++headers) {
        if (next == ip_fragment) {  // RFC 8200 section 4.5
            if (bytes.size() < 8 || cut) return std::nullopt;
            const std::uint16_t position = get16(bytes, 2);
            const FragmentKey key{
                .source = source_, .destination = destination_, .id = get32(bytes, 4), .protocol = bytes[0]};
            return fragment(key, position & 0xfff8U, (position & 1U) != 0, bytes.subspan(8), level);
        }
        const bool options = next == ip_hop_options || next == ip_routing || next == ip_destination_options;
        if (!options && next != ip_authentication) return transport(next, bytes, cut, level);
        if (bytes.size() < 8) return std::nullopt;
        const std::size_t size = options ? (bytes[1] + 1U) * 8U : (bytes[1] + 2U) * 4U;
        if (bytes.size() < size) return std::nullopt;
        next = bytes[0];
        bytes = bytes.subspan(size);
    }
    return std::nullopt;
}

std::optional<Datagram> Decoder::transport(std::uint8_t protocol, Bytes bytes, bool cut, unsigned level) {
    switch (protocol) {
        case ip_in_ip:
        case ip_ipv6: return ip(bytes, level + 1);
        case ip_gre: return gre(bytes, level);
        case ip_udp: {
            if (bytes.size() < 8) return std::nullopt;
            const std::size_t length = get16(bytes, 4);
            Datagram datagram{.protocol = Datagram::Protocol::udp,
                              .source = {.address = source_, .port = get16(bytes, 0)},
                              .destination = {.address = destination_, .port = get16(bytes, 2)},
                              .payload = bytes.subspan(8),
                              .cut = cut,
                              .hops = hops_};
            if (length >= 8 && length - 8 < datagram.payload.size())
                datagram.payload = datagram.payload.first(length - 8);
            return datagram;
        }
        case ip_tcp: {
            if (bytes.size() < 20) return std::nullopt;
            const std::size_t header = (bytes[12] >> 4U) * 4U;
            if (header < 20 || bytes.size() < header) return std::nullopt;
            const std::uint8_t flags = bytes[13];
            return Datagram{.protocol = Datagram::Protocol::tcp,
                            .source = {.address = source_, .port = get16(bytes, 0)},
                            .destination = {.address = destination_, .port = get16(bytes, 2)},
                            .payload = bytes.subspan(header),
                            .cut = cut,
                            .hops = hops_,
                            .sequence = get32(bytes, 4),
                            .acknowledged = (flags & 16U) != 0 ? std::optional(get32(bytes, 8)) : std::nullopt,
                            .syn = (flags & 2U) != 0,
                            .fin = (flags & 1U) != 0,
                            .rst = (flags & 4U) != 0};
        }
        default: return std::nullopt;
    }
}

/// RFC 2784 and RFC 2890: checksum, key and sequence number are optional.
std::optional<Datagram> Decoder::gre(Bytes bytes, unsigned level) {
    if (bytes.size() < 4 || (bytes[1] & 7U) != 0) return std::nullopt;
    const std::size_t header = 4U + ((bytes[0] & 0x80U) != 0 ? 4U : 0U) + ((bytes[0] & 0x20U) != 0 ? 4U : 0U) +
                               ((bytes[0] & 0x10U) != 0 ? 4U : 0U);
    if (bytes.size() < header || level + 1 >= most_levels) return std::nullopt;
    const std::uint16_t type = get16(bytes, 2);
    if (type == 0x6558) return link(link_ethernet, bytes.subspan(header), level + 1);
    return ethernet_type(type, bytes.subspan(header), level + 1);
}

std::optional<Datagram> Decoder::fragment(const FragmentKey& key, std::uint32_t offset, bool more, Bytes bytes,
                                          unsigned level) {
    const std::uint32_t last = offset + static_cast<std::uint32_t>(bytes.size());
    if (last > largest_datagram || bytes.empty()) return std::nullopt;
    if (fragments_.size() >= most_fragmented && !fragments_.contains(key)) {
        std::erase_if(fragments_, [&](const auto& entry) { return entry.second.frame + fragment_frames < frame_; });
        if (fragments_.size() >= most_fragmented) {
            fragments_.erase(
                std::ranges::min_element(fragments_, {}, [](const auto& entry) { return entry.second.frame; }));
        }
    }
    Fragments& all = fragments_[key];
    if (all.frame != 0 && all.frame + fragment_frames < frame_) all = {};
    if (all.holes.empty()) all.holes.emplace_back(0, largest_datagram);
    all.frame = frame_;
    if (!more) all.total = last;
    if (all.bytes.size() < last) all.bytes.resize(last);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> holes;
    for (const auto& [from, to] : all.holes) {  // what came first stays: only holes are filled
        const std::uint32_t begin = std::max(from, offset);
        const std::uint32_t end = std::min(to, last);
        if (begin >= end) {
            holes.emplace_back(from, to);
            continue;
        }
        std::memcpy(all.bytes.data() + begin, bytes.data() + (begin - offset), end - begin);
        if (from < begin) holes.emplace_back(from, begin);
        if (end < to) holes.emplace_back(end, to);
    }
    all.holes = std::move(holes);
    const bool complete = all.total && (all.holes.empty() || all.holes.front().first >= *all.total);
    if (all.holes.size() > 1024 || (all.holes.empty() && !complete)) {
        fragments_.erase(key);
        return std::nullopt;
    }
    if (!complete) return std::nullopt;
    all.bytes.resize(std::min<std::size_t>(all.bytes.size(), *all.total));
    whole_ = std::move(all.bytes);
    fragments_.erase(key);
    return transport(key.protocol, whole_, false, level);
}

}  // namespace natkit::capture
