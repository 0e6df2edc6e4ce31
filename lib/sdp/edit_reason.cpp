#include "natkit/sdp/rewrite.hpp"

namespace natkit::sdp {

const char* to_string(EditReason reason) noexcept {
    switch (reason) {
        case EditReason::session_connection: return "address of the session";
        case EditReason::media_connection: return "address of the stream";
        case EditReason::connection_inserted: return "the stream needs an address of its own";
        case EditReason::media_port: return "port of the stream";
        case EditReason::protocol: return "profile of the stream";
        case EditReason::rtcp: return "RTCP";
        case EditReason::rtcp_inserted: return "RTCP is not at the next port";
        case EditReason::mux_removed: return "RTCP has a port of its own";
        case EditReason::mux_inserted: return "RTCP shares the port of RTP";
        case EditReason::ice_removed: return "ICE would go around the relay";
        case EditReason::ice_added: return "the relay as a candidate";
        case EditReason::origin_address: return "address of the origin";
        case EditReason::origin_version: return "version of the session";
        case EditReason::filter: return "source filter";
        case EditReason::path: return "MSRP path";
        case EditReason::setup: return "who connects";
        case EditReason::left_over: return "left behind by another proxy";
        case EditReason::zero_family: return "hold in the other family";
        case EditReason::zero_direction: return "hold said by a direction";
    }
    return "";
}

}  // namespace natkit::sdp
