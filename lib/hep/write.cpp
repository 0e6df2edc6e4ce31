#include <algorithm>
#include <cassert>

#include "chunks.hpp"
#include "natkit/hep/packet.hpp"

namespace natkit::hep {
namespace {

constexpr std::size_t longest_text = 512;
constexpr std::size_t least_room = 2048;

std::uint8_t type_of(Packet::Content content) noexcept {
    switch (content) {
        case Packet::Content::sip: return content_sip;
        case Packet::Content::rtp: return content_rtp;
        case Packet::Content::rtcp: return content_rtcp;
        case Packet::Content::report: return content_report;
        case Packet::Content::other: break;
    }
    return content_log;
}

/// Writes chunks one after the other into room that suffices.
class ChunkWriter {
  public:
    explicit ChunkWriter(std::span<std::uint8_t> into) noexcept : into_(into) {}

    void number(Chunk type, std::uint32_t value, std::size_t bytes) noexcept {
        begin(type, bytes);
        put(value, bytes);
    }
    void address(Chunk type4, Chunk type6, const IpAddress& value) noexcept {
        const auto raw = value.bytes();
        bytes(value.is_v4() ? type4 : type6, {raw.data(), value.is_v4() ? std::size_t{4} : std::size_t{16}});
    }
    void text(Chunk type, std::string_view value) noexcept {
        if (value.empty() || value.size() > longest_text) return;
        bytes(type, {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
    }
    void bytes(Chunk type, std::span<const std::uint8_t> value) noexcept {
        begin(type, value.size());
        at_ = static_cast<std::size_t>(std::ranges::copy(value, into_.begin() + static_cast<std::ptrdiff_t>(at_)).out -
                                       into_.begin());
    }
    void put(std::uint32_t value, std::size_t bytes) noexcept {
        for (std::size_t i = bytes; i-- > 0;) into_[at_++] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    [[nodiscard]] std::size_t written() const noexcept { return at_; }
    void go_to(std::size_t at) noexcept { at_ = at; }

  private:
    void begin(Chunk type, std::size_t bytes) noexcept {
        put(0, 2);  // the generic vendor
        put(type, 2);
        put(static_cast<std::uint32_t>(chunk_header + bytes), 2);
    }

    std::span<std::uint8_t> into_;
    std::size_t at_ = 0;
};

}  // namespace

std::size_t write(const Packet& packet, std::span<std::uint8_t> into) noexcept {
    assert(into.size() >= least_room);
    into = into.first(std::min<std::size_t>(into.size(), 0xffff));
    ChunkWriter out(into);
    for (const char letter : magic) out.put(static_cast<std::uint8_t>(letter), 1);
    out.put(0, 2);  // the length, which is not known yet
    out.number(chunk_family, packet.source.address.is_v4() ? family_ipv4 : family_ipv6, 1);
    out.number(chunk_protocol, packet.protocol, 1);
    out.address(chunk_source4, chunk_source6, packet.source.address);
    out.address(chunk_destination4, chunk_destination6, packet.destination.address);
    out.number(chunk_source_port, packet.source.port, 2);
    out.number(chunk_destination_port, packet.destination.port, 2);
    out.number(chunk_seconds, static_cast<std::uint32_t>(packet.time_ns / 1'000'000'000), 4);
    out.number(chunk_microseconds, static_cast<std::uint32_t>(packet.time_ns % 1'000'000'000 / 1'000), 4);
    out.number(chunk_content, type_of(packet.content), 1);
    out.number(chunk_agent, packet.agent, 4);
    out.text(chunk_correlation, packet.correlation);
    out.text(chunk_node, packet.node);
    const std::size_t room = into.size() - out.written() - chunk_header;
    out.bytes(packet.compressed ? chunk_compressed_payload : chunk_payload,
              packet.payload.first(std::min(packet.payload.size(), room)));
    const std::size_t length = out.written();
    out.go_to(magic.size());
    out.put(static_cast<std::uint32_t>(length), 2);
    return length;
}

}  // namespace natkit::hep
