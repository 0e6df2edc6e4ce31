#pragma once

#include <chrono>
#include <cstddef>
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

/// By what the packets of a stream come.
enum class Tier : std::uint8_t {
    sockets,  ///< a socket of the port's own
    steered,  ///< one socket for many ports
    fast,     ///< the kernel forwards them
};
[[nodiscard]] const char* to_string(Tier tier) noexcept;  ///< "sockets", "steered", "fast"

/// Why the kernel does not forward what a leg's party sends.
enum class NotForwarded : std::uint8_t {
    off,          ///< nothing is forwarded on this host
    not_joined,   ///< the leg has no other side
    not_rtp,      ///< a stream of another kind has nothing that confirms its source
    held,         ///< one side is on hold
    unproven,     ///< a stranger's endpoint, from which nothing has come
    settling,     ///< signalling has just spoken, few packets have come, or the next sweep promotes it
    unconfirmed,  ///< the source of this side, or where the other one is sent to, is not confirmed
    changing,     ///< it has changed source or SSRC: several on one port do with each packet
    strayed,      ///< more of it came to the relay than went by
    interface,    ///< it comes by an interface that is not known or whose self-test has not passed
    table_full,
};
inline constexpr std::size_t not_forwarded_count = 11;
[[nodiscard]] const char* to_string(NotForwarded why) noexcept;  ///< "off", "not-joined", …

}  // namespace natkit::relay
