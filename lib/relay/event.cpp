#include "natkit/relay/event.hpp"

namespace natkit::relay {

const char* to_string(ConnectFailure why) noexcept {
    switch (why) {
        case ConnectFailure::refused: return "connection refused";
        case ConnectFailure::timed_out: return "no answer";
        case ConnectFailure::unreachable: return "unreachable";
        case ConnectFailure::system: return "the system did not allow it";
    }
    return "unknown";
}

const char* to_string(Ending how) noexcept {
    switch (how) {
        case Ending::closed: return "closed";
        case Ending::reset: return "reset";
        case Ending::replaced: return "replaced";
        case Ending::parted: return "parted";
        case Ending::not_met: return "not-met";
    }
    return "unknown";
}

}  // namespace natkit::relay
