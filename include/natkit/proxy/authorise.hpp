#pragma once

#include <cstdint>

namespace natkit::proxy {

/// Where a request may go, seen from who sends it and where it would go (design: who may do what).
enum class Sender : std::uint8_t {
    lan,         ///< a client on the LAN side
    registered,  ///< uses the very flow it registered on
    neighbour,   ///< the other end of a dialog whose token it presents
    stranger,
};
enum class Destination : std::uint8_t {
    edge,        ///< the edge itself
    registered,  ///< a registered user
    dialog,      ///< the peer of a dialog whose token checks out
    elsewhere,   ///< any other address
    inside,      ///< loopback, an address of the host, or a LAN address that is no registered user
};

/// Whether `sender` may have a request forwarded to `destination`.
[[nodiscard]] bool may_send(Sender sender, Destination destination) noexcept;

}  // namespace natkit::proxy
