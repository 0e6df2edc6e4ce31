#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "natkit/base/endpoint.hpp"
#include "natkit/capture/packet_reader.hpp"
#include "natkit/capture/reassembly.hpp"

namespace natkit::capture {

/// What a packet carries, out of all its wrappings. The payload stays valid until the decoder's next call.
struct Datagram {
    enum class Protocol : std::uint8_t { udp, tcp };

    Protocol protocol{};
    Endpoint source;
    Endpoint destination;
    std::span<const std::uint8_t> payload;
    bool cut = false;            ///< the capture has less than was sent
    std::uint8_t hops = 0;       ///< time to live, or hop limit
    std::uint32_t sequence = 0;  ///< TCP
    std::optional<std::uint32_t> acknowledged =
        std::nullopt;  ///< TCP: what the sender has got, from the other direction
    bool syn = false, fin = false, rst = false;
};

/// Unwraps packets: link headers (Ethernet with VLAN, MPLS and PPPoE; Linux cooked v1 and v2; BSD loopback; raw IP),
/// IPv4 and IPv6 with extension headers, IP in IP, GRE, down to the innermost UDP or TCP. Puts fragments together.
/// Total: any bytes give a datagram or nothing. ICMP gives nothing: what it quotes was not sent by who it seems.
class Decoder {
  public:
    [[nodiscard]] std::optional<Datagram> decode(const Packet& packet);

  private:
    using Bytes = std::span<const std::uint8_t>;

    [[nodiscard]] std::optional<Datagram> ip(Bytes bytes, unsigned level);
    [[nodiscard]] std::optional<Datagram> ipv4(Bytes bytes, unsigned level);
    [[nodiscard]] std::optional<Datagram> ipv6(Bytes bytes, unsigned level);
    [[nodiscard]] std::optional<Datagram> transport(std::uint8_t protocol, Bytes bytes, bool cut, unsigned level);
    [[nodiscard]] std::optional<Datagram> gre(Bytes bytes, unsigned level);
    [[nodiscard]] std::optional<Datagram> fragment(const Reassembly::Key& key, std::uint32_t offset, bool more,
                                                   Bytes bytes, unsigned level);

    IpAddress source_;
    IpAddress destination_;
    std::uint8_t hops_ = 0;
    std::uint64_t frame_ = 0;
    Reassembly fragments_;
};

}  // namespace natkit::capture
