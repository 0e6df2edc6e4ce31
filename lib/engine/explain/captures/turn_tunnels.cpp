#include "natkit/engine/explain/captures/turn_tunnels.hpp"

#include <array>

#include "natkit/base/octets.hpp"
#include "natkit/rtp/packet.hpp"

namespace natkit::explain {
namespace {

constexpr std::size_t most_tunnels = 4096;
constexpr std::size_t most_channels = 64;
constexpr std::size_t stun_header = 20;
constexpr std::size_t channel_header = 4;
constexpr std::uint32_t magic_cookie = 0x2112a442;

/// Types of messages and attributes, RFC 8656 sections 17 and 18.
constexpr unsigned channel_bind = 0x0009, send_indication = 0x0016, data_indication = 0x0017, allocated = 0x0103;
constexpr unsigned channel_number = 0x000c, xor_peer_address = 0x0012, data = 0x0013, xor_relayed_address = 0x0016;

using Bytes = std::span<const std::uint8_t>;

/// The value of the first attribute of that type.
std::optional<Bytes> attribute(Bytes message, unsigned type) {
    for (std::size_t at = stun_header; at + 4 <= message.size();) {
        const std::size_t length = get16(message, at + 2);
        if (at + 4 + length > message.size()) return std::nullopt;
        if (get16(message, at) == type) return message.subspan(at + 4, length);
        at += 4 + (length + 3) / 4 * 4;
    }
    return std::nullopt;
}

/// RFC 8489 section 14.2: combined with the cookie, and for IPv6 with the number of the transaction behind it.
std::optional<Endpoint> address_in(Bytes message, unsigned type) {
    const auto value = attribute(message, type);
    if (!value || value->size() < 8) return std::nullopt;
    const auto port = static_cast<std::uint16_t>(get16(*value, 2) ^ (magic_cookie >> 16U));
    const unsigned family = (*value)[1];
    if (family == 1) {
        return Endpoint{.address = IpAddress::v4(get32(*value, 4) ^ magic_cookie), .port = port};
    }
    if (family != 2 || value->size() < 20) return std::nullopt;
    std::array<std::uint8_t, 16> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<std::uint8_t>((*value)[4 + i] ^ message[4 + i]);
    return Endpoint{.address = IpAddress::v6(bytes), .port = port};
}

}  // namespace

std::optional<TurnTunnels::Inner> TurnTunnels::unwrap(const Endpoint& source, const Endpoint& destination,
                                                      Bytes payload) {
    if (payload.size() < channel_header) return std::nullopt;
    const std::uint8_t first = payload[0];
    if (first >= 0x40 && first <= 0x4f) return read_channel(source, destination, payload);
    return rtp::is_stun(payload) ? read_stun(source, destination, payload) : std::nullopt;
}

std::optional<TurnTunnels::Inner> TurnTunnels::read_stun(const Endpoint& source, const Endpoint& destination,
                                                         Bytes payload) {
    const unsigned type = get16(payload, 0);
    if (type == allocated) {
        const auto relayed = address_in(payload, xor_relayed_address);
        const Ends ends{destination, source};
        if (relayed && (tunnels_.size() < most_tunnels || tunnels_.contains(ends))) {
            Tunnel& tunnel = tunnels_[ends];
            if (tunnel.relayed != *relayed) tunnel = {.relayed = *relayed, .channels = {}};
        }
        return std::nullopt;
    }
    if (type != channel_bind && type != send_indication && type != data_indication) return std::nullopt;
    const auto peer = address_in(payload, xor_peer_address);
    const bool from_client = type != data_indication;
    const auto found = tunnels_.find(from_client ? Ends{source, destination} : Ends{destination, source});
    if (!peer || found == tunnels_.end()) return std::nullopt;
    Tunnel& tunnel = found->second;
    if (type == channel_bind) {
        const auto number = attribute(payload, channel_number);
        if (number && number->size() >= 2 && tunnel.channels.size() < most_channels)
            tunnel.channels[get16(*number, 0)] = *peer;
        return std::nullopt;
    }
    const auto inner = attribute(payload, data);
    if (!inner) return std::nullopt;
    if (!from_client) return Inner{.source = *peer, .destination = tunnel.relayed, .payload = *inner};
    return Inner{.source = tunnel.relayed, .destination = *peer, .payload = *inner};
}

std::optional<TurnTunnels::Inner> TurnTunnels::read_channel(const Endpoint& source, const Endpoint& destination,
                                                            Bytes payload) const {
    const std::uint16_t number = get16(payload, 0);
    const std::size_t length = get16(payload, 2);
    if (channel_header + length > payload.size()) return std::nullopt;
    for (const bool from_client : {true, false}) {
        const auto found = tunnels_.find(from_client ? Ends{source, destination} : Ends{destination, source});
        if (found == tunnels_.end()) continue;
        const auto peer = found->second.channels.find(number);
        if (peer == found->second.channels.end()) continue;
        const Bytes inner = payload.subspan(channel_header, length);
        if (from_client) return Inner{.source = found->second.relayed, .destination = peer->second, .payload = inner};
        return Inner{.source = peer->second, .destination = found->second.relayed, .payload = inner};
    }
    return std::nullopt;
}

}  // namespace natkit::explain
