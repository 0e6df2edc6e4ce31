#pragma once

#include <cstdint>
#include <expected>
#include <optional>

#include "natkit/relay/tiers.hpp"
#include "natkit/relay/udp.hpp"

/// Which streams may be forwarded without the relay, by a table of 4-tuples, and what the relay then needs to be told
/// of them. Pure.
namespace natkit::relay {

/// What packets of one direction of a join are, and where they go.
struct Forwarding {
    enum class Kind : std::uint8_t { rtp, rtcp, both };

    const UdpLeg* to = nullptr;
    Component out{};  ///< the port of `to` that they leave by
    Endpoint source;  ///< the party's
    Endpoint destination;
    Kind kind{};
    std::uint32_t ssrc = 0;

    friend bool operator==(const Forwarding&, const Forwarding&) = default;
};

/// How long signalling must have been silent about a leg, and packets must have come, before it is forwarded otherwise.
inline constexpr Duration promotion_time = std::chrono::seconds(2);
inline constexpr std::uint64_t promotion_packets = 50;

/// What may be forwarded of what comes to this component of the leg: RTP and RTCP of one SSRC, from a confirmed source
/// to a confirmed target, where nothing is on hold and no party has yet to be proven. `tried`: it was so before and
/// only has to be so still.
[[nodiscard]] std::expected<Forwarding, NotForwarded> may_forward(const UdpLeg& from, Component arrival, Instant now,
                                                                  bool tried = false) noexcept;

/// What has gone by since the relay was told last.
struct Carried {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< UDP payload
    Instant last{};
    std::uint32_t ssrc = 0;
    std::optional<rtp::ReceiverStatistics::Progress> rtp;  ///< where there was RTP
};

/// Counts it for both legs, and lets the latch know that its holder has sent. `out`: the component of the peer.
void take_in(UdpLeg& from, Component arrival, Component out, const Carried& carried) noexcept;

}  // namespace natkit::relay
