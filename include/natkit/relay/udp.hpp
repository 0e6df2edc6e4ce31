#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "natkit/relay/leg_table.hpp"
#include "natkit/relay/party.hpp"
#include "natkit/relay/proof.hpp"
#include "natkit/rtp/statistics.hpp"
#include "natkit/sdp/direction.hpp"

/// UDP media: which packets are a party's, and where they go. Pure: packets and time come in, decisions come out.
namespace natkit::relay {

struct UdpLeg : Leg {
    struct Part {
        Latch latch;
        Counters counters;
        ToldDrops told;
        std::uint64_t refused_before = 0;  ///< refusals counted at the last sweep
        bool refused_lately = false;
    };

    bool mux = false;                                     ///< RTCP shares the first port (RFC 5761)
    sdp::Direction direction = sdp::Direction::sendrecv;  ///< of its party
    std::array<Part, 2> parts;                            ///< by Component
    Proof proof;
    rtp::ReceiverStatistics statistics;
    std::optional<std::uint8_t> tos;  ///< of what is sent to its party, where it has its own
    void* attachment = nullptr;       ///< the caller's: its sockets
    bool forwarded = false;           ///< the caller's: packets of its join go by without the relay (promotion.hpp)

    [[nodiscard]] Part& part(Component component) noexcept { return parts[static_cast<std::size_t>(component)]; }
    [[nodiscard]] const Part& part(Component component) const noexcept {
        return parts[static_cast<std::size_t>(component)];
    }
    [[nodiscard]] UdpLeg* peer() const noexcept { return static_cast<UdpLeg*>(Leg::peer()); }
    [[nodiscard]] Instant last_received() const noexcept;
};

/// Null for a leg of TCP.
[[nodiscard]] inline UdpLeg* as_udp(Leg* leg) noexcept {
    return leg == nullptr || is_tcp(leg->stream) ? nullptr : static_cast<UdpLeg*>(leg);
}

/// What is UDP's alone: the sources of legs, their packets, and the audio of joins. The legs are the LegTable's.
class UdpRelay {
  public:
    /// Where an accepted packet goes: to `endpoint` from `leg`'s socket of `component`. Without a leg it is dropped
    /// (and counted).
    struct Outcome {
        UdpLeg* leg = nullptr;
        Component component{};
        const Endpoint* endpoint = nullptr;
    };

    explicit UdpRelay(LegTable& legs) noexcept : legs_(legs) {}

    /// A leg for an `rtp` or `udp` stream. `key` must be new.
    UdpLeg& add(LegKey key, Stream stream, bool mux, Instant now);
    void signal(UdpLeg& leg, const Party& party, SourcePolicy policy, Instant now);
    /// Sources are looked at anew: the party starts again at the same endpoint.
    void reopen(UdpLeg& leg) noexcept;
    /// The hold of a leg is set; whether its party resumes.
    void on_hold(UdpLeg& leg, bool resumes, Instant now);
    /// What a journal says of a leg's component, as in Latch::restore(). After signal().
    void restore(UdpLeg& leg, Component component, const Latch::Known& holder, Instant now, Duration handover = {});

    /// The one call per packet: no allocation except for an event, no lock. A forwarded packet is counted as sent;
    /// when the system refuses it, call not_sent().
    [[nodiscard]] Outcome on_packet(UdpLeg& leg, Component component, const Endpoint& source,
                                    std::span<const std::uint8_t> bytes, Instant now);
    /// A packet from `source` that is not even to be looked at.
    void refuse(UdpLeg& leg, Component component, Drop reason, const Endpoint& source);
    /// The packet that came to `from` could not be sent to `outcome`.
    void not_sent(UdpLeg& from, Component component, const Outcome& outcome, std::size_t bytes);

    /// What a second has brought: refusals of a leg; silence and one-way audio of a join.
    void sweep(UdpLeg& leg) noexcept;
    void sweep(Join& join, Instant now);

  private:
    void drop(UdpLeg& leg, Component component, Drop reason, const Endpoint& source);
    void note_latched(UdpLeg& leg, Component component, const std::optional<Endpoint>& before,
                      const Latch::Verdict& verdict);
    void note_proof(UdpLeg& leg, const Endpoint& source, Instant now);
    [[nodiscard]] Outcome forward_to_peer(UdpLeg& leg, Component component, bool is_rtcp, std::size_t bytes,
                                          const Endpoint& source, Instant now);
    void set_audio(Join& join, AudioState audio, const UdpLeg* mute, Cause cause);

    LegTable& legs_;
};

}  // namespace natkit::relay
