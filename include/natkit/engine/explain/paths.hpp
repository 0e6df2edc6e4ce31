#pragma once

#include <optional>
#include <string>
#include <vector>

#include "natkit/engine/explain/decide_call.hpp"
#include "natkit/engine/explain/hops.hpp"
#include "natkit/engine/explain/rtp_streams.hpp"

namespace natkit::explain {

/// A relay that a host on the path put between its neighbours: its endpoint on either side, and whether that side is
/// still needed.
struct PathRelay {
    Endpoint towards_caller, towards_callee;
    bool caller_side_needed = true, callee_side_needed = true;
};

/// A host on the path of a call, from the caller to the callee.
struct PathNode {
    std::vector<IpAddress> addresses;  ///< of its SIP hops, each once
    nat::Place place{};
    std::optional<Endpoint> media;   ///< of the two ends
    std::optional<PathRelay> relay;  ///< of those in between
    unsigned visit = 1;              ///< how often the call has come here by now, this time included
};

/// The way of one media stream, through all Call-IDs that belong together.
struct MediaPath {
    std::vector<std::string> call_ids;  ///< in order
    std::uint64_t frame = 0;            ///< of its first INVITE
    std::size_t stream = 0;
    std::string kind;  ///< "audio"
    std::vector<PathNode> nodes;
    std::size_t relays = 0;               ///< joins that were made
    std::size_t relays_needed = 0;        ///< joins that the scheme keeps
    bool loop = false;                    ///< the call comes to a relaying host more than once
    std::optional<double> packets_per_s;  ///< RTP seen from the caller and to it, where the capture has it

    [[nodiscard]] bool collapsible() const { return relays_needed < relays; }
    /// Packets that need not be relayed, a second.
    [[nodiscard]] std::optional<double> saved_per_s() const;
};

/// Chains hops into paths, finds hosts that a call passes more than once, and asks the scheme of loop::Scheme which of
/// their relays are needed.
[[nodiscard]] std::vector<MediaPath> find_paths(const std::vector<Exchange>& exchanges, const RtpStreams& rtp,
                                                const Rules& rules);

}  // namespace natkit::explain
