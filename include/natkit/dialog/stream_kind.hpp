#pragma once

#include <optional>

#include "natkit/relay/stream.hpp"
#include "natkit/sdp/document.hpp"

/// Calls as the programs share them: what session descriptions mean for the streams of a call.
namespace natkit::dialog {

/// What the relay has to do for a stream. T.120 is told by its format, "m=application 1503 TCP t120".
[[nodiscard]] relay::Stream kind_of(const sdp::Media& media);

/// Who connects, as the description has it: a=setup, or what its absence means (RFC 4145 section 4; T.120 knows no
/// a=setup: who offers listens). Nothing: no TCP stream. `offers`: the description is an offer.
[[nodiscard]] std::optional<sdp::Setup> role_in(const sdp::Media& media, bool offers);

}  // namespace natkit::dialog
