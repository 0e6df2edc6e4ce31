#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "natkit/base/endpoint.hpp"

/// HEP version 3 (EEP), by which capture agents tell collectors of packets. Pure.
namespace natkit::hep {

/// By the first bytes.
[[nodiscard]] bool is_hep(std::span<const std::uint8_t> datagram) noexcept;

/// A captured packet as an agent (Kamailio, OpenSIPS, FreeSWITCH, Asterisk, rtpengine, heplify) sends it on: HEP
/// version 3 (EEP), a list of chunks of vendor, type, length and value.
struct Packet {
    enum class Content : std::uint8_t { sip, rtp, rtcp, other };

    Endpoint source;  ///< of the packet that was captured
    Endpoint destination;
    std::uint8_t protocol = 0;  ///< IP's number of what carried it: 17 is UDP, 6 is TCP (one message, not a segment)
    std::int64_t time_ns = 0;   ///< when the agent captured it; 0: it does not say
    std::uint32_t agent = 0;    ///< the capture agent's id
    Content content = Content::other;
    std::span<const std::uint8_t> payload;  ///< within the bytes that were read
    bool compressed = false;                ///< the payload is: by zlib
};

/// The packet in a datagram; nothing where it is no HEP 3, a chunk does not fit, or addresses, ports or payload are
/// missing. Chunks that are not known are passed over. Pure.
[[nodiscard]] std::optional<Packet> read(std::span<const std::uint8_t> datagram);

}  // namespace natkit::hep
