#pragma once

#include <optional>

#include "natkit/base/endpoint.hpp"
#include "natkit/nat/classify.hpp"
#include "natkit/relay/latch.hpp"
#include "natkit/relay/target.hpp"
#include "natkit/sdp/direction.hpp"

namespace natkit::relay {

/// The neighbour for whom a leg was opened, as signalling describes it.
struct Party {
    nat::Place place{};
    std::optional<Endpoint> endpoint;  ///< of its SDP; of a far-end party it is kept only to notice a change
    std::optional<Endpoint> rtcp;      ///< where a=rtcp says so; else the port after `endpoint`'s
    std::optional<IpAddress> visible;  ///< where its packets are seen to come from; needed for far-end parties
    std::optional<IpRange> site;       ///< the nat_servers range that holds `visible`
    std::optional<sdp::Setup> setup;   ///< TCP: what the party does; absent: either side may connect, as `actpass`
    sdp::Direction direction = sdp::Direction::sendrecv;  ///< of its own description, as both ends have agreed on it
    Ssrcs ssrcs = {};                                     ///< that its description announces (RFC 5576)
    std::optional<SourcePolicy> sources = {};             ///< instead of what follows from its place
    bool unproven = false;  ///< a stranger's WAN endpoint, which nothing but its description says is its own

    friend bool operator==(const Party&, const Party&) = default;
};

/// The source rule for a place (design: mediarelay, Sources).
[[nodiscard]] SourcePolicy source_policy(nat::Place place, bool source_port_restriction) noexcept;
/// The party's own, or that of its place.
[[nodiscard]] SourcePolicy source_policy(const Party& party, bool source_port_restriction) noexcept;

/// What the latch of a leg's first port is told of its party.
[[nodiscard]] Latch::Signal latch_signal(const Party& party, SourcePolicy policy);

/// Whether all that a party says may be used: its endpoints by check_target(), a far-end party's visible address too.
[[nodiscard]] Result<void> check_party(const Party& party, Side side, const Surroundings& surroundings);

}  // namespace natkit::relay
