#pragma once

#include "natkit/diagnose/facts.hpp"
#include "natkit/engine/explain/rtp_streams.hpp"

namespace natkit::explain {

/// What the doctor is to know of a call: its messages, and of all RTP in the capture that which may have to do with it.
[[nodiscard]] diagnose::CallFacts facts_of(const diagnose::Call& call, const RtpStreams& streams,
                                           const nat::Networks& networks);

}  // namespace natkit::explain
