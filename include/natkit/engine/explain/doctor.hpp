#pragma once

#include <optional>
#include <string>
#include <vector>

#include "natkit/engine/explain/decide_call.hpp"
#include "natkit/engine/explain/flows.hpp"

namespace natkit::explain {

/// Why one party does not hear the other.
enum class Cause : std::uint8_t {
    private_address,   ///< private address in SDP, told to somebody who cannot reach it
    other_source,      ///< SDP is right, but RTP comes from another port or address
    binding_expired,   ///< a NAT forgot a mapping
    alg_damage,        ///< a gateway on the way changed the messages
    relay_not_joined,  ///< media goes to a relay that sends nothing on
    on_hold,           ///< silence is meant
    wrong_family,      ///< IPv4 told to IPv6 or the other way round
    ice_around_relay,  ///< ICE found a way past the relay
    never_arrives,     ///< sent, and lost on the way
    media_loop,        ///< the same packets again and again
    nothing_sent,      ///< no packet of this direction is in the capture
    not_answered,      ///< the call never came to media
};

[[nodiscard]] const char* to_string(Cause cause) noexcept;  ///< "private-address-in-sdp", …

struct Finding {
    Cause cause{};
    std::optional<Side> silent;  ///< who hears nothing because of it
    std::string sentence;        ///< what is wrong, for people
    std::string change;          ///< what to set or to repair, and where
};

/// One direction of one stream.
struct Way {
    Side from{};
    std::optional<Endpoint> told;   ///< where the sender was told to send
    std::uint64_t sent = 0;         ///< RTP packets to there in the capture
    std::uint64_t arrived = 0;      ///< on the last hop to the receiver; the same without a relay
    std::vector<Endpoint> sources;  ///< where those came from
    bool relayed = false;
};

struct StreamReport {
    std::string kind;
    Way to_callee, to_caller;
};

struct Explanation {
    std::string call_id;
    std::uint64_t first_frame = 0;
    std::vector<StreamReport> streams;
    std::vector<Finding> findings;  ///< gravest first; empty: nothing wrong was found
    bool media_seen = false;
    bool cut = false;  ///< the capture has less of some message than was sent
};

/// The one-way-audio doctor: joins what the session descriptions say, what the capture shows and the rules.
[[nodiscard]] Explanation diagnose(const Call& call, const FlowTable& flows, const Rules& rules);

}  // namespace natkit::explain
