#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/error.hpp"
#include "natkit/nat/classify.hpp"

namespace natkit::record {

/// One end of a pass: the neighbour there.
struct PassEnd {
    std::string tag;     ///< of this end of the dialog
    Endpoint neighbour;  ///< where its signalling comes from, as seen
    Endpoint edge;       ///< the edge's own address towards it
    nat::Place place{};
    IpRange site;
};

/// A stream at one end of a pass.
struct PassMedia {
    std::optional<Endpoint> said;    ///< what the neighbour's description names, a leg of the edge perhaps
    std::optional<Endpoint> shown;   ///< what the neighbour is shown: a leg of the edge, or the peer's own endpoint
    std::optional<Endpoint> leg;     ///< of this pass, towards that neighbour
    std::optional<Endpoint> joined;  ///< the leg that `leg` is joined with, of this pass or of another one
};

struct PassStream {
    std::string kind;  ///< "rtp", "udp", "tcp", "t120"; empty: rejected or removed
    std::array<PassMedia, 2> ends;
};

/// The `pass` record: a dialog on its way through sipedge, as the last exchange of offer and answer has left it. A call
/// that comes through again has another pass, whose neighbours say and are shown what this one's were.
struct Pass {
    std::string call_id;
    std::array<PassEnd, 2> ends;  ///< of the caller, of the callee
    std::vector<PassStream> streams;
};

[[nodiscard]] nlohmann::ordered_json to_json(const Pass& pass);
/// Errc::bad_input, with the key that is missing or cannot be read.
[[nodiscard]] Result<Pass> read_pass(const nlohmann::ordered_json& json);

}  // namespace natkit::record
