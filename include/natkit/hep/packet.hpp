#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "natkit/base/endpoint.hpp"

/// HEP version 3 (EEP), by which capture agents tell collectors of packets. Pure.
namespace natkit::hep {

/// By the first bytes.
[[nodiscard]] bool is_hep(std::span<const std::uint8_t> datagram) noexcept;

/// Packet::protocol, as IP numbers them.
inline constexpr std::uint8_t over_tcp = 6;
inline constexpr std::uint8_t over_udp = 17;

/// A captured packet as an agent (Kamailio, OpenSIPS, FreeSWITCH, Asterisk, rtpengine, heplify) sends it on: HEP
/// version 3 (EEP), a list of chunks of vendor, type, length and value.
struct Packet {
    /// Of `report` (an agent's account of a media stream) and often of `rtcp` the payload is JSON.
    enum class Content : std::uint8_t { sip, rtp, rtcp, report, other };

    Endpoint source;  ///< of the packet that was captured
    Endpoint destination;
    std::uint8_t protocol = 0;  ///< IP's number of what carried it; over TCP one message, not a segment
    std::int64_t time_ns = 0;   ///< when the agent captured it; 0: it does not say
    std::uint32_t agent = 0;    ///< the capture agent's id
    Content content = Content::other;
    std::span<const std::uint8_t> payload;  ///< within the bytes that were read
    bool compressed = false;                ///< the payload is: by zlib
    std::string_view correlation{};         ///< the Call-ID that it belongs to, by most agents; empty: not said
    std::string_view node{};                ///< the agent's name; empty: not said
};

/// The packet in a datagram; nothing where it is no HEP 3, a chunk does not fit, or addresses, ports or payload are
/// missing. Chunks that are not known are passed over. Pure.
[[nodiscard]] std::optional<Packet> read(std::span<const std::uint8_t> datagram);

/// What a UDP datagram over IPv4 holds at most.
inline constexpr std::size_t largest_datagram = 65'507;
/// What read() understands as that packet, its time in whole microseconds; the bytes written. A payload for which there
/// is no room is cut at its end. Correlation and node are left out where they are longer than 512 bytes. `into` has
/// room for 2,048 bytes at least. Pure, no allocation.
[[nodiscard]] std::size_t write(const Packet& packet, std::span<std::uint8_t> into) noexcept;

}  // namespace natkit::hep
