#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "natkit/base/endpoint.hpp"

namespace natkit::explain {

/// Media between a client and its TURN server is wrapped (RFC 8656 sections 11 and 12). Unwrapped it is what the server
/// sends on from the relayed address to the peer, and back: that is what descriptions name.
class TurnTunnels {
  public:
    struct Inner {
        Endpoint source, destination;
        std::span<const std::uint8_t> payload;
    };
    /// What a datagram has in it, where it is of a tunnel whose beginning was there. Of 4096 clients, with 64 channels
    /// each.
    [[nodiscard]] std::optional<Inner> unwrap(const Endpoint& source, const Endpoint& destination,
                                              std::span<const std::uint8_t> payload);

  private:
    struct Tunnel {
        Endpoint relayed;
        std::map<std::uint16_t, Endpoint> channels;
    };
    using Ends = std::pair<Endpoint, Endpoint>;  ///< client, server
    struct Hash {
        std::size_t operator()(const Ends& ends) const noexcept {
            return EndpointHash()(ends.first) * 31 + EndpointHash()(ends.second);
        }
    };
    [[nodiscard]] std::optional<Inner> read_stun(const Endpoint& source, const Endpoint& destination,
                                                 std::span<const std::uint8_t> payload);
    [[nodiscard]] std::optional<Inner> read_channel(const Endpoint& source, const Endpoint& destination,
                                                    std::span<const std::uint8_t> payload) const;

    std::unordered_map<Ends, Tunnel, Hash> tunnels_;
};

}  // namespace natkit::explain
