#include "natkit/hep/packet.hpp"

#include <algorithm>

#include "chunks.hpp"
#include "natkit/base/octets.hpp"

namespace natkit::hep {
namespace {

using Bytes = std::span<const std::uint8_t>;

std::string_view text_of(Bytes bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What the chunks said so far.
struct Chunks {
    Packet packet;
    std::optional<IpAddress> source, destination;
    std::optional<std::uint16_t> source_port, destination_port;
    std::optional<std::uint32_t> seconds;
    std::uint32_t microseconds = 0;
    bool payload = false;
};

Packet::Content content_of(std::uint8_t type) {
    switch (type) {
        case content_sip: return Packet::Content::sip;
        case content_rtp: return Packet::Content::rtp;
        case content_rtcp: return Packet::Content::rtcp;
        case content_report: return Packet::Content::report;
        default: return Packet::Content::other;
    }
}

/// A number that is no address. One of another length than its type has is passed over.
void read_number(std::uint16_t type, Bytes value, Chunks& chunks) {
    if (value.size() == 1) {
        if (type == chunk_protocol) chunks.packet.protocol = value[0];
        if (type == chunk_content) chunks.packet.content = content_of(value[0]);
    } else if (value.size() == 2) {
        if (type == chunk_source_port) chunks.source_port = get16(value, 0);
        if (type == chunk_destination_port) chunks.destination_port = get16(value, 0);
    } else if (value.size() == 4) {
        if (type == chunk_seconds) chunks.seconds = get32(value, 0);
        if (type == chunk_microseconds) chunks.microseconds = std::min(get32(value, 0), 999'999U);
        if (type == chunk_agent) chunks.packet.agent = get32(value, 0);
    }
}

void read_chunk(std::uint16_t type, Bytes value, Chunks& chunks) {
    switch (type) {
        case chunk_source4:
            if (value.size() == 4) chunks.source = IpAddress::v4(get32(value, 0));
            break;
        case chunk_destination4:
            if (value.size() == 4) chunks.destination = IpAddress::v4(get32(value, 0));
            break;
        case chunk_source6:
            if (value.size() == 16) chunks.source = address6(value, 0);
            break;
        case chunk_destination6:
            if (value.size() == 16) chunks.destination = address6(value, 0);
            break;
        case chunk_payload:
        case chunk_compressed_payload:
            chunks.packet.payload = value;
            chunks.packet.compressed = type == chunk_compressed_payload;
            chunks.payload = true;
            break;
        case chunk_correlation: chunks.packet.correlation = text_of(value); break;
        case chunk_node: chunks.packet.node = text_of(value); break;
        default: read_number(type, value, chunks); break;
    }
}

}  // namespace

bool is_hep(Bytes datagram) noexcept {
    return datagram.size() >= magic.size() && std::ranges::equal(datagram.first(magic.size()), magic);
}

std::optional<Packet> read(Bytes datagram) {
    if (datagram.size() < packet_header || !is_hep(datagram)) return std::nullopt;
    const std::size_t total = get16(datagram, 4);
    if (total < packet_header || total > datagram.size()) return std::nullopt;
    Chunks chunks;
    for (Bytes rest = datagram.first(total).subspan(packet_header); !rest.empty();) {
        if (rest.size() < chunk_header) return std::nullopt;
        const std::size_t length = get16(rest, 4);
        if (length < chunk_header || length > rest.size()) return std::nullopt;
        if (get16(rest, 0) == 0)  // the generic vendor
            read_chunk(get16(rest, 2), rest.first(length).subspan(chunk_header), chunks);
        rest = rest.subspan(length);
    }
    if (!chunks.source || !chunks.destination || !chunks.source_port || !chunks.destination_port || !chunks.payload)
        return std::nullopt;
    Packet packet = chunks.packet;
    packet.source = {.address = *chunks.source, .port = *chunks.source_port};
    packet.destination = {.address = *chunks.destination, .port = *chunks.destination_port};
    if (chunks.seconds)
        packet.time_ns = std::int64_t{*chunks.seconds} * 1'000'000'000 + std::int64_t{chunks.microseconds} * 1'000;
    return packet;
}

}  // namespace natkit::hep
