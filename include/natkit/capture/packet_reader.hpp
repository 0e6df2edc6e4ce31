#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/capture/byte_source.hpp"
#include "natkit/capture/sighting.hpp"

namespace natkit::capture {

/// Packet::link_type of what has no link header: the payload of a HEP datagram.
inline constexpr int link_type_hep = -1;

/// One captured packet. Plain value over bytes that stay valid until the reader's next call.
struct Packet {
    std::uint64_t frame = 0;                   ///< counted from 1
    std::int64_t time_ns = 0;                  ///< since 1970
    int link_type = 0;                         ///< LINKTYPE_ number (Ethernet is 1)
    unsigned interface = 0;                    ///< of a pcapng section; else 0
    std::uint16_t file = 0;                    ///< see Sighting; whoever reads several sets it
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

    /// What passes an interface ("any": all of them), from now on. Errc::refused without the right to see it,
    /// Errc::not_found for an interface that is not there, Errc::system.
    [[nodiscard]] static Result<PacketReader> live(const std::string& interface);
    /// HEP datagrams that come to this endpoint of the host; each gives a packet of link_type_hep. Errc::system.
    [[nodiscard]] static Result<PacketReader> hep(const Endpoint& local);

    PacketReader(PacketReader&&) noexcept;
    PacketReader& operator=(PacketReader&&) noexcept;
    ~PacketReader();

    /// Called every quarter of a second while next() has to wait (for a pipe, or live), and when a signal comes; false:
    /// the capture is at its end then.
    void on_wait(std::function<bool()> wait);

    /// The next packet; nothing at the end. After an Errc::bad_input (a capture cut short, say) it is at its end.
    [[nodiscard]] Result<std::optional<Packet>> next();

    [[nodiscard]] const ByteSource& source() const noexcept;
    /// Packets that came and were not read in time, of a live capture.
    [[nodiscard]] std::uint64_t lost() const noexcept;

    class Format;  ///< one file format; internal

  private:
    explicit PacketReader(std::unique_ptr<Format> format);
    std::unique_ptr<Format> format_;
};

}  // namespace natkit::capture
