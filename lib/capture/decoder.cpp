#include "natkit/capture/decoder.hpp"

#include <algorithm>

#include "inflate.hpp"
#include "link.hpp"
#include "natkit/hep/packet.hpp"
#include "wire.hpp"

namespace natkit::capture {
namespace {

constexpr std::size_t most_inflated = 65'535;  ///< bytes: as many as a datagram has

}  // namespace

Decoder::Decoder() {
    fragments_.on_incomplete = [this](const Reassembly::Incomplete& datagram) { tell_lost(datagram); };
}

std::optional<Datagram> Decoder::decode(const Packet& packet) {
    fragments_.on_time(packet.time_ns);
    more_ = {};
    seen_ = {.frame = packet.frame,
             .time_ns = packet.time_ns,
             .interface = packet.interface,
             .file = packet.file,
             .direction = packet.direction};
    if (packet.link_type == link_type_hep) return hep(packet.bytes);
    const auto network = unwrap_link(packet.link_type, packet.bytes, seen_, more_);
    return network ? ip(*network, 0) : std::nullopt;
}

std::optional<Datagram> Decoder::decode_more() {
    const auto network = take_subframe(more_);
    return network ? ip(*network, 0) : std::nullopt;
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
    seen_.hops = bytes[8];
    const std::uint16_t position = get16(bytes, 6);
    const bool more = (position & 0x2000U) != 0;
    const std::uint32_t offset = (position & 0x1fffU) * 8U;
    if (more || offset != 0)
        return fragment({.source = source_, .destination = destination_, .id = get16(bytes, 4), .protocol = bytes[9]},
                        {.offset = offset, .more = more, .cut = cut, .bytes = payload}, level);
    return transport(bytes[9], payload, cut, level);
}

std::optional<Datagram> Decoder::ipv6(Bytes bytes, unsigned level) {
    if (bytes.size() < 40) return std::nullopt;
    const std::size_t length = get16(bytes, 4);
    const bool cut = length > bytes.size() - 40;
    source_ = address6(bytes, 8);
    destination_ = address6(bytes, 24);
    seen_.hops = bytes[7];
    std::uint8_t next = bytes[6];
    bytes = length == 0 ? bytes.subspan(40) : bytes.subspan(40, std::min(length, bytes.size() - 40));
    for (unsigned headers = 0; headers < most_levels; ++headers) {
        if (next == ip_fragment) {  // RFC 8200 section 4.5
            if (bytes.size() < 8) return std::nullopt;
            const std::uint16_t position = get16(bytes, 2);
            return fragment(
                {.source = source_, .destination = destination_, .id = get32(bytes, 4), .protocol = bytes[0]},
                {.offset = position & 0xfff8U, .more = (position & 1U) != 0, .cut = cut, .bytes = bytes.subspan(8)},
                level);
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
        case ip_udp: return udp(bytes, cut);
        case ip_tcp: return tcp(bytes, cut);
        case ip_icmp:
        case ip_icmp6: icmp(protocol == ip_icmp ? Family::ipv4 : Family::ipv6, bytes); return std::nullopt;
        default: return std::nullopt;
    }
}

std::optional<Datagram> Decoder::udp(Bytes bytes, bool cut) {
    if (bytes.size() < 8) return std::nullopt;
    const std::size_t length = get16(bytes, 4);
    Datagram datagram{.protocol = Datagram::Protocol::udp,
                      .seen = seen_,
                      .source = {.address = source_, .port = get16(bytes, 0)},
                      .destination = {.address = destination_, .port = get16(bytes, 2)},
                      .payload = bytes.subspan(8),
                      .cut = cut};
    if (length >= 8 && length - 8 < datagram.payload.size()) datagram.payload = datagram.payload.first(length - 8);
    return hep::is_hep(datagram.payload) ? hep(datagram.payload) : datagram;
}

/// RTCP comes as it was, or as an agent's account of it in JSON, which is passed over with all that is no packet.
std::optional<Datagram> Decoder::hep(Bytes bytes) {
    auto packet = hep::read(bytes);
    using enum hep::Packet::Content;
    if (!packet || packet->content == other || packet->content == report) return std::nullopt;
    if (packet->compressed) {
        inflated_.resize(most_inflated);
        const auto whole = inflated(packet->payload, inflated_);
        if (!whole) return std::nullopt;
        packet->payload = *whole;
    }
    const bool media = packet->content != sip;
    if (media && (packet->payload.empty() || packet->payload[0] == '{')) return std::nullopt;
    Datagram datagram{.protocol = packet->protocol == ip_tcp ? Datagram::Protocol::tcp : Datagram::Protocol::udp,
                      .seen = seen_,
                      .source = packet->source,
                      .destination = packet->destination,
                      .payload = packet->payload,
                      .whole = true};
    if (packet->time_ns != 0) datagram.seen.time_ns = packet->time_ns;
    datagram.seen.interface = packet->agent;
    datagram.seen.hops = 0;
    datagram.seen.direction = Direction::unknown;
    return datagram;
}

std::optional<Datagram> Decoder::tcp(Bytes bytes, bool cut) const {
    if (bytes.size() < 20) return std::nullopt;
    const std::size_t header = (bytes[12] >> 4U) * 4U;
    if (header < 20 || bytes.size() < header) return std::nullopt;
    const std::uint8_t flags = bytes[13];
    return Datagram{.protocol = Datagram::Protocol::tcp,
                    .seen = seen_,
                    .source = {.address = source_, .port = get16(bytes, 0)},
                    .destination = {.address = destination_, .port = get16(bytes, 2)},
                    .payload = bytes.subspan(header),
                    .cut = cut,
                    .sequence = get32(bytes, 4),
                    .acknowledged = (flags & 16U) != 0 ? std::optional(get32(bytes, 8)) : std::nullopt,
                    .syn = (flags & 2U) != 0,
                    .fin = (flags & 1U) != 0,
                    .rst = (flags & 4U) != 0};
}

/// RFC 2784 and RFC 2890: checksum, key and sequence number are optional.
std::optional<Datagram> Decoder::gre(Bytes bytes, unsigned level) {
    if (bytes.size() < 4 || (bytes[1] & 7U) != 0) return std::nullopt;
    const std::size_t header = 4U + ((bytes[0] & 0x80U) != 0 ? 4U : 0U) + ((bytes[0] & 0x20U) != 0 ? 4U : 0U) +
                               ((bytes[0] & 0x10U) != 0 ? 4U : 0U);
    if (bytes.size() < header || level + 1 >= most_levels) return std::nullopt;
    const std::uint16_t type = get16(bytes, 2);
    const auto network = type == 0x6558 ? unwrap_link(link_ethernet, bytes.subspan(header), seen_, more_)
                                        : unwrap_ethernet(type, bytes.subspan(header));
    return network ? ip(*network, level + 1) : std::nullopt;
}

void Decoder::icmp(Family family, Bytes bytes) const {
    if (!on_icmp_error || source_.family() != family) return;
    auto error = read_icmp(family, bytes);
    if (!error) return;
    error->seen = seen_;
    error->sender = source_;
    error->receiver = destination_;
    on_icmp_error(*error);
}

std::optional<Datagram> Decoder::fragment(const Reassembly::Key& key, const Reassembly::Piece& piece, unsigned level) {
    const auto whole = fragments_.add(key, piece, seen_);
    return whole ? transport(key.protocol, *whole, false, level) : std::nullopt;
}

/// Its beginning is read as a datagram from the addresses of then.
void Decoder::tell_lost(const Reassembly::Incomplete& datagram) {
    if (!on_lost_fragments) return;
    const IpAddress source = std::exchange(source_, datagram.key.source);
    const IpAddress destination = std::exchange(destination_, datagram.key.destination);
    const Sighting seen = std::exchange(seen_, datagram.first);
    LostFragments lost{.source = source_,
                       .destination = destination_,
                       .protocol = datagram.key.protocol,
                       .first = datagram.first,
                       .pieces = datagram.pieces,
                       .end_seen = datagram.end_seen,
                       .cut = datagram.cut,
                       .later_pieces_seen = datagram.later_pieces_seen,
                       .begin = std::nullopt};
    if (lost.protocol == ip_udp) lost.begin = udp(datagram.begin, true);
    if (lost.protocol == ip_tcp) lost.begin = tcp(datagram.begin, true);
    source_ = source;
    destination_ = destination;
    seen_ = seen;
    on_lost_fragments(lost);
}

}  // namespace natkit::capture
