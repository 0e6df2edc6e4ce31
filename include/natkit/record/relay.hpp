#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/record/json_view.hpp"
#include "natkit/relay/audio.hpp"
#include "natkit/relay/leg.hpp"
#include "natkit/relay/party.hpp"
#include "natkit/relay/stream.hpp"
#include "natkit/relay/tiers.hpp"

/// What mediarelay reports: natkit-records(7), MEDIA.
namespace natkit::record {

enum class LegState : std::uint8_t {
    reserved,  ///< its ports are set aside
    open,      ///< its sockets receive
    joined,    ///< and it forwards
    parted,    ///< was joined; its sockets are closed, its ports still set aside
};

[[nodiscard]] const char* to_string(LegState state) noexcept;  ///< "reserved", "open", "joined", "parted"

/// Everything about a leg of mediarelay (relay::Leg) but its counters. Also what the journal keeps.
struct LegRecord {
    struct Latched {
        Endpoint endpoint;
        relay::SourceRule rule{};
        bool provisional = false;           ///< RTP has not confirmed it yet, of an `rtp` stream
        std::optional<std::uint32_t> ssrc;  ///< of the RTP from there when it was confirmed
        friend bool operator==(const Latched&, const Latched&) = default;
    };

    std::string id;
    std::string call_id;
    relay::Stream stream{};
    relay::Side side{};
    bool mux = false;
    bool hold = false;
    LegState state{};
    Endpoint bound;        ///< the (first) port where it listens
    IpAddress advertised;  ///< the address others are told instead of the bound one
    std::optional<relay::Party> party;
    std::string joined;                             ///< the other leg's id; empty when not joined
    std::array<std::optional<Latched>, 2> latched;  ///< by component
    std::string owner;                              ///< who asked for it; may be empty
    std::string owner_state;                        ///< JSON text that only the owner understands; may be empty
    std::string request;                            ///< the id of the request that made it
    WallTime opened{};
    unsigned connections = 1;         ///< TCP: how many at once
    std::optional<std::uint8_t> tos;  ///< of what it sends, where it has its own

    /// What SDP should say: the advertised address with the port of a component.
    [[nodiscard]] Endpoint local(relay::Component component) const noexcept;
    [[nodiscard]] bool has_rtcp() const noexcept { return stream == relay::Stream::rtp && !mux; }
    /// Two ports are set aside for it; of a muxed leg too, whose party may yet refuse to mux (RFC 5761 section 5.1.1).
    [[nodiscard]] bool has_pair() const noexcept { return stream == relay::Stream::rtp; }

    friend bool operator==(const LegRecord&, const LegRecord&) = default;
};

/// A `leg` record without event; append to it what else is to be said.
[[nodiscard]] nlohmann::ordered_json to_json(const LegRecord& leg);
/// The same and the `request`, as the text that the journal keeps: a leg is written several times in a call's life,
/// which a tree of JSON values would make dear.
[[nodiscard]] std::string journal_text(const LegRecord& leg);
/// The members of what journal_text() writes, present or not: others are those of another version.
inline constexpr std::array<std::string_view, 21> leg_members = {
    "type",  "leg",    "call_id", "state", "stream",      "side",      "family",
    "local", "rtcp",   "bound",   "mux",   "connections", "tos",       "hold",
    "party", "joined", "latched", "owner", "owner_state", "opened_ms", "request"};
/// Reads what to_json() wrote. Total; the error's `where` names the key.
[[nodiscard]] Result<LegRecord> parse_leg(const ObjectView& record);

[[nodiscard]] nlohmann::ordered_json to_json(const relay::Party& party);
/// A `party` object of a request. Total; the error's `where` names the key ("party.endpoint").
[[nodiscard]] Result<relay::Party> parse_party(const ObjectView& object);

/// The TCP connections of a leg.
struct Connections {
    struct Open {
        Endpoint remote;
        relay::SourceRule rule{};
    };
    std::vector<Open> open;
    std::size_t waiting = 0;   ///< for their other half
    std::uint64_t opened = 0;  ///< since the leg was opened, those that have ended included
    std::uint64_t failed = 0;  ///< dialled in vain
};

/// A leg's counters at one moment, taken from its packet thread.
struct LegStatistics {
    std::array<relay::Counters, 2> counters;  ///< by component
    std::uint64_t lost = 0;
    std::uint64_t expected = 0;
    std::optional<Duration> jitter;
    std::optional<std::uint32_t> ssrc;
    relay::AudioState audio = relay::AudioState::waiting;  ///< of its join
    relay::Cause cause = relay::Cause::none;
    relay::LegKey mute = 0;
    std::optional<relay::Tier> tier;                   ///< of what its party sends; of UDP
    std::optional<relay::NotForwarded> not_forwarded;  ///< why that is not the fast one
    Instant taken{};
    std::optional<Connections> connections;  ///< of TCP legs
};

using StatisticsByLeg = std::unordered_map<relay::LegKey, LegStatistics>;

/// The `statistics` object of a leg: received, sent, rtcp, drops.
[[nodiscard]] nlohmann::ordered_json to_json(const LegStatistics& statistics);

}  // namespace natkit::record
