#pragma once

#include "natkit/diagnose/facts.hpp"
#include "natkit/engine/explain/captures/evidence.hpp"
#include "natkit/engine/explain/captures/tcp_connections.hpp"
#include "natkit/engine/explain/captures/turn_tunnels.hpp"
#include "natkit/engine/explain/rtp_streams.hpp"

namespace natkit::explain {

/// What of a capture is no message.
struct CaptureFacts {
    RtpStreams rtp;
    TurnTunnels tunnels;
    TcpConnections tcp;
    CaptureEvidence evidence;
    std::int64_t end_ns = 0;  ///< time of the last packet
};

/// What the doctor is to know of a call: its messages, and of all else in the capture that which may have to do with
/// it.
[[nodiscard]] diagnose::CallFacts facts_of(const diagnose::Call& call, const CaptureFacts& capture,
                                           const nat::Networks& networks);

}  // namespace natkit::explain
