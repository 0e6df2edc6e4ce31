#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/capture/icmp.hpp"
#include "natkit/capture/packet_reader.hpp"
#include "natkit/capture/reassembly.hpp"

namespace natkit::capture {

/// What a packet carries, out of all its wrappings. The payload stays valid until the decoder's next call.
struct Datagram {
    enum class Protocol : std::uint8_t { udp, tcp };

    Protocol protocol{};
    Sighting seen = {};
    Endpoint source;
    Endpoint destination;
    std::span<const std::uint8_t> payload;
    bool cut = false;            ///< the capture has less than was sent
    bool whole = false;          ///< out of HEP: with TCP the payload is a message, not a piece of a stream
    std::uint32_t sequence = 0;  ///< TCP
    std::optional<std::uint32_t> acknowledged =
        std::nullopt;  ///< TCP: what the sender has got, from the other direction
    bool syn = false, fin = false, rst = false;
};

/// An IP datagram of which fragments are missing in the capture, at its end or 10 s after the last one.
struct LostFragments {
    IpAddress source, destination;
    std::uint8_t protocol = 0;  ///< 17 is UDP, 6 is TCP
    Sighting first;             ///< the first of its fragments in the capture
    unsigned pieces = 0;        ///< fragments that the capture has, copies included
    bool end_seen = false;      ///< its last fragment is one of them
    bool cut = false;           ///< the capture has less of a fragment than was sent: nothing need be lost
    bool later_pieces_seen =
        false;  ///< the capture has later fragments of this or another datagram: its filter lets them pass
    /// What there is of it, from its first byte up to the first gap, as a datagram that is cut; nothing where its first
    /// fragment is missing, and so its ports are not known. Valid during the call.
    std::optional<Datagram> begin;
};

/// Unwraps packets: link headers (Ethernet with VLAN, MPLS and PPPoE; 802.11 with radiotap or PPI; PPP; Linux cooked v1
/// and v2; BSD loopback; raw IP), IPv4 and IPv6 with extension headers, IP in IP, GRE, down to the innermost UDP or
/// TCP. HEP in a UDP datagram
/// gives the packet that it tells of, with its time, and the agent as its interface. Puts fragments together. Total:
/// any bytes give a datagram or nothing. ICMP gives no datagram: what it quotes was not sent by who it seems.
class Decoder {
  public:
    Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    ~Decoder() = default;

    std::function<void(const IcmpError&)> on_icmp_error;          ///< may be empty
    std::function<void(const LostFragments&)> on_lost_fragments;  ///< may be empty

    [[nodiscard]] std::optional<Datagram> decode(const Packet& packet);
    /// An aggregate of 802.11 (A-MSDU) has several: whether there are some behind that which was decoded last, and the
    /// next one. The packet's bytes are still needed.
    [[nodiscard]] bool more() const noexcept { return !more_.empty(); }
    [[nodiscard]] std::optional<Datagram> decode_more();
    /// No more packets will come: tells what fragments are still waited for.
    void finish() { fragments_.finish(); }

  private:
    using Bytes = std::span<const std::uint8_t>;

    [[nodiscard]] std::optional<Datagram> ip(Bytes bytes, unsigned level);
    [[nodiscard]] std::optional<Datagram> ipv4(Bytes bytes, unsigned level);
    [[nodiscard]] std::optional<Datagram> ipv6(Bytes bytes, unsigned level);
    [[nodiscard]] std::optional<Datagram> transport(std::uint8_t protocol, Bytes bytes, bool cut, unsigned level);
    [[nodiscard]] std::optional<Datagram> udp(Bytes bytes, bool cut);
    [[nodiscard]] std::optional<Datagram> hep(Bytes bytes);
    [[nodiscard]] std::optional<Datagram> tcp(Bytes bytes, bool cut) const;
    [[nodiscard]] std::optional<Datagram> gre(Bytes bytes, unsigned level);
    [[nodiscard]] std::optional<Datagram> fragment(const Reassembly::Key& key, const Reassembly::Piece& piece,
                                                   unsigned level);
    void icmp(Family family, Bytes bytes) const;
    void tell_lost(const Reassembly::Incomplete& datagram);

    IpAddress source_;
    IpAddress destination_;
    Sighting seen_;
    Bytes more_;                          ///< subframes that are not decoded yet
    std::vector<std::uint8_t> inflated_;  ///< room for a payload that was compressed, once there was one
    Reassembly fragments_;
};

}  // namespace natkit::capture
