#include "natkit/relay/audio.hpp"

namespace natkit::relay {

const char* to_string(AudioState audio) noexcept {
    switch (audio) {
        case AudioState::waiting: return "waiting";
        case AudioState::two_way: return "two-way";
        case AudioState::one_way: return "one-way";
        case AudioState::silent: return "silent";
        case AudioState::held: return "held";
    }
    return "unknown";
}

const char* to_string(Cause cause) noexcept {
    switch (cause) {
        case Cause::none: return "";
        case Cause::never_sent: return "never-sent";
        case Cause::not_latched: return "not-latched";
        case Cause::source_refused: return "source-refused";
        case Cause::stopped: return "stopped";
    }
    return "unknown";
}

}  // namespace natkit::relay
