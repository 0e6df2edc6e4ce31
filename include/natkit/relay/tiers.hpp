#pragma once

#include <chrono>
#include <cstdint>

namespace natkit::relay {

/// [media_proxy] fast_path: whether confirmed streams are forwarded inside the kernel.
enum class FastPathChoice : std::uint8_t {
    automatic,  ///< where it works
    off,
};

/// [media_proxy] receive: how packets reach the relay itself.
enum class ReceiveChoice : std::uint8_t {
    automatic,  ///< steered where it works, else sockets
    sockets,    ///< a socket a port, which needs no privilege
    steered,    ///< one socket a worker for all ports; where it does not work, sockets, and that is a failure
};

/// What the operator wants of the tiers of the relay. Each falls back by itself to the next one that works.
struct TierChoice {
    FastPathChoice fast_path = FastPathChoice::automatic;
    ReceiveChoice receive = ReceiveChoice::automatic;
    std::chrono::milliseconds fast_path_lapse = std::chrono::minutes(10);  ///< life of an entry that nobody renews
    friend bool operator==(const TierChoice&, const TierChoice&) = default;
};

}  // namespace natkit::relay
