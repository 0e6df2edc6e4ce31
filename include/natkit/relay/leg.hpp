#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "natkit/base/time.hpp"
#include "natkit/relay/audio.hpp"
#include "natkit/relay/latch.hpp"
#include "natkit/relay/stream.hpp"

namespace natkit::relay {

using LegKey = std::uint64_t;  ///< chosen by the caller, unique

/// The name of a leg in records: ten hexadecimal digits.
[[nodiscard]] std::string id_of(LegKey key);
/// 0 where that is no such name.
[[nodiscard]] LegKey key_of(std::string_view id) noexcept;

/// What one component of one leg has seen.
struct Counters {
    std::uint64_t received_packets = 0;  ///< accepted from the party
    std::uint64_t received_bytes = 0;    ///< UDP payload
    std::uint64_t sent_packets = 0;      ///< to the party
    std::uint64_t sent_bytes = 0;
    std::array<std::uint64_t, drop_count> drops{};  ///< by Drop; of packets that came to this component
    Instant last_received{};                        ///< of the last accepted; the epoch when there was none

    [[nodiscard]] std::uint64_t dropped(Drop reason) const noexcept { return drops[static_cast<std::size_t>(reason)]; }
};

/// The drop reasons that were told since signalling last spoke: each is told once.
struct ToldDrops {
    std::uint32_t bits = 0;

    [[nodiscard]] bool contains(Drop reason) const noexcept {
        return (bits >> static_cast<unsigned>(reason) & 1U) != 0;
    }
    void add(Drop reason) noexcept { bits |= 1U << static_cast<unsigned>(reason); }
    void clear() noexcept { bits = 0; }
};

struct Join;

/// One side of a relayed stream, with its port (or two, RTP's and RTCP's): what legs of all kinds have in common. Those
/// of UDP are UdpLegs, those of TCP are TcpLegs. The fields are the Relay's to change; read them as you like.
struct Leg {
    Leg() = default;
    Leg(const Leg&) = delete;
    Leg& operator=(const Leg&) = delete;
    virtual ~Leg() = default;

    LegKey key = 0;
    Stream stream{};
    bool hold = false;
    Join* join = nullptr;
    Instant changed{};  ///< when it was opened, parted or signalled last

    /// The leg it is joined with; of its own kind.
    [[nodiscard]] Leg* peer() const noexcept;
};

/// Two legs whose parties hear each other.
struct Join {
    std::array<Leg*, 2> legs{};
    Instant since{};  ///< when it was made; of TCP, when its last connection ended
    AudioState audio = AudioState::waiting;
    Cause cause = Cause::none;
    const Leg* mute = nullptr;  ///< when one-way: the leg whose party is not heard
    std::size_t index = 0;      ///< its place in the LegTable
};

inline Leg* Leg::peer() const noexcept {
    if (join == nullptr) return nullptr;
    return join->legs[0] == this ? join->legs[1] : join->legs[0];
}

}  // namespace natkit::relay
