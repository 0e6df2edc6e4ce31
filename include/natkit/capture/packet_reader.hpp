#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "natkit/capture/byte_source.hpp"
#include "natkit/capture/sighting.hpp"

namespace natkit::capture {

/// One captured packet. Plain value over bytes that stay valid until the reader's next call.
struct Packet {
    std::uint64_t frame = 0;                   ///< counted from 1
    std::int64_t time_ns = 0;                  ///< since 1970
    int link_type = 0;                         ///< LINKTYPE_ number (Ethernet is 1)
    unsigned interface = 0;                    ///< of a pcapng section; else 0
    Direction direction = Direction::unknown;  ///< as the flags of a pcapng packet say
    std::span<const std::uint8_t> bytes;
    std::uint32_t original_length = 0;  ///< on the wire; more than bytes.size() when cut by the capture
};

/// Reads pcap (libpcap, every byte order and time resolution it knows) and pcapng (several sections, interfaces and
/// link types). Holds one packet at a time; a packet above 16 MiB is an error.
class PacketReader {
  public:
    /// Takes the source at its first byte. Errc::bad_input when it is no capture.
    [[nodiscard]] static Result<PacketReader> open(ByteSource source);

    PacketReader(PacketReader&&) noexcept;
    PacketReader& operator=(PacketReader&&) noexcept;
    ~PacketReader();

    /// The next packet; nothing at the end. After an Errc::bad_input (a capture cut short, say) it is at its end.
    [[nodiscard]] Result<std::optional<Packet>> next();

    [[nodiscard]] const ByteSource& source() const noexcept;

    class Format;  ///< one file format; internal

  private:
    explicit PacketReader(std::unique_ptr<Format> format);
    std::unique_ptr<Format> format_;
};

}  // namespace natkit::capture
