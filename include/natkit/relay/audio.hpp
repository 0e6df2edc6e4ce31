#pragma once

#include <cstdint>

namespace natkit::relay {

/// What becomes of the audio of a join.
enum class AudioState : std::uint8_t {
    waiting,  ///< joined, and not both have sent yet
    two_way,  ///< both have sent within the last 5 s
    one_way,  ///< only one has, for 5 s
    silent,   ///< none has, for 5 s
    held,     ///< on hold: whatever flows is fine
};

/// Why one side of a one-way join is silent, as far as the relay can tell.
enum class Cause : std::uint8_t {
    none,
    never_sent,      ///< nothing ever came: wrong address in the SDP, a firewall, or a phone that waits
    not_latched,     ///< nothing came from behind the NAT yet, so nothing can be sent there either
    source_refused,  ///< packets come, from an endpoint that the source rules refuse
    stopped,         ///< it sent before, and stopped
};

[[nodiscard]] const char* to_string(AudioState state) noexcept;  ///< "waiting", "two-way", …
[[nodiscard]] const char* to_string(Cause cause) noexcept;       ///< "never-sent", …; "" for none

}  // namespace natkit::relay
