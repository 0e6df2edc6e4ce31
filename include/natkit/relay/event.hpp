#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "natkit/base/endpoint.hpp"
#include "natkit/relay/audio.hpp"
#include "natkit/relay/leg.hpp"
#include "natkit/relay/stream.hpp"

namespace natkit::relay {

/// Why a TCP connection of ours did not come about.
enum class ConnectFailure : std::uint8_t { refused, timed_out, unreachable, system };

/// How a relayed TCP connection ended.
enum class Ending : std::uint8_t {
    closed,    ///< both directions ended in order
    reset,     ///< by one of the parties, or because it was lost
    replaced,  ///< a new one took its place, as signalled
    parted,    ///< its legs were parted, freed, or told of other parties
    not_met,   ///< its other half never came
};

[[nodiscard]] const char* to_string(ConnectFailure why) noexcept;  ///< "connection refused", … for people
[[nodiscard]] const char* to_string(Ending how) noexcept;          ///< "closed", "reset", …

/// Something worth telling. Packets alone make none; each is told once (see Relay).
struct Event {
    enum class Kind : std::uint8_t {
        latched,       ///< `leg`, `component`, `endpoint`, `rule`, `before`, `confirmed`, `ssrc`
        confirmed,     ///< the same but `before`: what had latched is now more than provisional
        refused,       ///< `leg`, `component`, `endpoint`, `reason`: the first of its kind since signalling last spoke
        audio,         ///< `leg`, `other`, `audio`, `cause`, `mute`
        proven,        ///< `leg`, `endpoint`, `cut`: the first packet of an unproven endpoint has come
        timed_out,     ///< `leg`, `other` (0 when it was never joined), `silent`, `hold`; of a join again and again as
                       ///< long as that lasts: its owner removes it, or keeps it while other media of the call go on
        connected,     ///< TCP: `leg`, `endpoint`, `rule`; `other`, `before`, `other_rule` of its other half
        disconnected,  ///< TCP: `leg`, `other`, `ending`, `bytes`
    };
    Kind kind{};
    LegKey leg = 0;
    LegKey other = 0;
    Component component{};
    Endpoint endpoint;
    std::optional<Endpoint> before;
    SourceRule rule{};
    SourceRule other_rule{};
    Drop reason{};
    std::optional<ConnectFailure> failure;  ///< of `refused` by Drop::not_connected, when `endpoint` was dialled
    Ending ending{};
    std::array<std::uint64_t, 2> bytes{};  ///< received from the party of `leg`, of `other`
    AudioState audio{};
    Cause cause{};
    LegKey mute = 0;
    Duration silent{};
    bool hold = false;
    bool confirmed = false;
    bool cut = false;  ///< packets had been kept from it
    std::optional<std::uint32_t> ssrc;
};

}  // namespace natkit::relay
