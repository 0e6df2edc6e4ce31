#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "natkit/relay/leg_table.hpp"
#include "natkit/relay/party.hpp"

/// TCP media (RFC 4145, T.120): who may connect to a leg's port, whom the relay dials itself, and which connections
/// belong together. Pure: what sockets do comes in, what they are to do comes out. One object serves one thread.
namespace natkit::relay {

using ConnectionId = std::uint64_t;  ///< unique within one TcpRelay; 0 is none

/// How long a connection may stay without its other half.
struct TcpTimes {
    Duration connect = std::chrono::seconds(10);  ///< until a dialled party has answered
    Duration pair = std::chrono::seconds(30);     ///< until the other party has connected too

    friend bool operator==(const TcpTimes&, const TcpTimes&) = default;
};

inline constexpr unsigned max_connections = 8;  ///< of one leg at once, at most; T.120 uses up to four
/// How many more may wait for one of those to end: who closes a connection and opens the next one is faster than the
/// other party, which must close it too.
inline constexpr unsigned max_waiting = 32;
/// A connection whose party has ended its direction, and that has moved no byte for this long, makes room for one that
/// has waited this long.
inline constexpr Duration linger = std::chrono::seconds(2);

struct TcpLeg : Leg {
    unsigned limit = 1;  ///< connections at once
    std::optional<Party> party;
    SourcePolicy policy{};
    std::uint32_t signalled = 0;  ///< grows when signalling asks for new connections
    bool dial_failed = false;     ///< a far-end party was dialled in vain since signalling last spoke
    bool may_dial = true;         ///< may_be_dialled(), as signalling last spoke
    std::vector<ConnectionId> connections;
    Counters counters;         ///< packets are not counted; `last_received` is of bytes
    std::uint64_t opened = 0;  ///< connections that had both halves
    std::uint64_t failed = 0;  ///< dialled in vain
    ToldDrops told;

    [[nodiscard]] TcpLeg* peer() const noexcept { return static_cast<TcpLeg*>(Leg::peer()); }
    /// Whether a connection may come from (or lead to) that address.
    [[nodiscard]] bool allows(const IpAddress& address) const noexcept;
    /// Its party may open connections to us.
    [[nodiscard]] bool listens() const noexcept;
    /// Where its party is to be dialled; nothing when it is not, or not yet.
    [[nodiscard]] std::optional<Endpoint> dials() const noexcept;
};

/// Null for a leg of UDP.
[[nodiscard]] inline TcpLeg* as_tcp(Leg* leg) noexcept {
    return leg != nullptr && is_tcp(leg->stream) ? static_cast<TcpLeg*>(leg) : nullptr;
}

/// One TCP connection between a party and us; two that are coupled carry each other's bytes.
struct TcpConnection {
    enum class State : std::uint8_t {
        dialling,  ///< ours, not answered yet
        waiting,   ///< up, its other half is not; nothing is read from it
        coupled,
    };
    ConnectionId id = 0;
    TcpLeg* leg = nullptr;
    State state{};
    ConnectionId other = 0;  ///< its other half, also while that is being dialled
    Endpoint remote;
    SourceRule rule{};
    std::uint32_t signalled = 0;  ///< TcpLeg::signalled when it was opened
    Instant since{};
    std::uint64_t received = 0;  ///< bytes
    std::uint64_t sent = 0;
    bool finished = false;           ///< its party will send no more
    Instant moved{};                 ///< when bytes last came from its party or went to it
    bool not_dialled_again = false;  ///< its other half did not answer; cleared when signalling speaks
};

/// What the sockets are to do.
struct TcpEffect {
    enum class Kind : std::uint8_t {
        dial,    ///< connect `id` from `leg`'s address to `remote`; then on_connected() or on_failed()
        couple,  ///< carry bytes between `id` and `other`; then on_ended()
        close,   ///< end `id`; no call back
    };
    Kind kind{};
    ConnectionId id = 0;
    ConnectionId other = 0;
    LegKey leg = 0;
    Endpoint remote;
    bool reset = false;  ///< of close: the party learns that something went wrong
};

/// Whether the relay may connect to a party that listens: on the WAN only where its signalling comes from or at the
/// same site, or in `dial_for`. Else a stranger's session description would make it connect to any port of any third
/// host. A party without signalling (`visible`), a script's, is where the script says.
[[nodiscard]] bool may_be_dialled(const Party& party, const RangeSet& dial_for) noexcept;

/// What is TCP's alone: the connections of legs. The legs are the LegTable's.
class TcpRelay {
  public:
    explicit TcpRelay(LegTable& legs, TcpTimes times = {}) : legs_(legs), times_(times) {}
    TcpRelay(const TcpRelay&) = delete;
    TcpRelay& operator=(const TcpRelay&) = delete;

    /// A leg for a `tcp` or `t120` stream. `key` must be new; `limit` from 1 to max_connections.
    TcpLeg& add(LegKey key, unsigned limit, Instant now);

    /// The party as signalled now; check_party() is the caller's. A party that changed, and `renew` (RFC 4145 section
    /// 5: `connection:new`), lets a new connection take the place of one that is open; open ones whose remote may no
    /// longer connect end at once.
    void signal(TcpLeg& leg, const Party& party, SourcePolicy policy, bool renew, Instant now);

    /// Two legs have been joined, or signalling has spoken of one of them: connections that wait find each other; where
    /// neither party may connect, both are dialled.
    void match_anew(Join& join, Instant now);
    /// A leg is about to be parted: ends the connections that both legs have with each other.
    void on_parting(TcpLeg& leg, Instant now);
    /// Ends every connection of a leg whose port is closed.
    void end_connections(TcpLeg& leg, Instant now);

    /// Somebody connected to the leg's port. Nothing: reset it.
    [[nodiscard]] std::optional<ConnectionId> on_accepted(TcpLeg& leg, const Endpoint& source, Instant now);
    void on_connected(ConnectionId id, Instant now);
    void on_failed(ConnectionId id, ConnectFailure why, Instant now);
    /// One of two coupled, or one that waits, has ended by itself. Coupled ones have both ended.
    void on_ended(ConnectionId id, Ending how, Instant now);
    /// The bytes of a connection so far, and whether its party has ended its direction.
    void on_progress(ConnectionId id, std::uint64_t received, std::uint64_t sent, bool finished, Instant now);

    /// What a second has brought: connections that have waited for too long are ended; a join may be silent for too
    /// long. Call on_progress() first.
    void end_late(Instant now);
    void sweep(Join& join, Instant now);
    /// Where else WAN parties may be dialled, from when signalling speaks next.
    void set_dial_for(RangeSet ranges) { dial_for_ = std::move(ranges); }

    /// To be carried out in order, after every call above.
    [[nodiscard]] std::vector<TcpEffect> take_effects();

    [[nodiscard]] const TcpConnection* connection(ConnectionId id) const noexcept;
    [[nodiscard]] const std::unordered_map<ConnectionId, TcpConnection>& connections() const noexcept {
        return connections_;
    }

  private:
    TcpConnection& open(TcpLeg& leg, TcpConnection::State state, const Endpoint& remote, SourceRule rule, Instant now);
    TcpConnection& dial(TcpLeg& leg, const Endpoint& to, Instant now);
    void match(TcpConnection& connection, Instant now);
    void couple(TcpConnection& one, TcpConnection& other, Instant now);
    /// Matches each connection of the join that waits without another half.
    void match_waiting(Join& join, Instant now);
    void allow_dialling(Join& join);
    void dial_both(Join& join, Instant now);
    /// Signalling asked for a new connection since this one, or its other half, was opened.
    [[nodiscard]] bool is_old(const TcpConnection& connection) const;
    [[nodiscard]] bool give_up_dialling(TcpLeg& leg);
    /// Whether the leg may have one more connection; may end an old one for it.
    [[nodiscard]] bool make_room(TcpLeg& leg, Instant now);
    /// Connections that have another half, or dial for one.
    [[nodiscard]] std::size_t engaged(const TcpLeg& leg) const;
    void make_room_for_next(Join& join, Instant now);
    /// Ends a connection, and its other half with it.
    void end(ConnectionId id, Ending how, Instant now);
    void end(ConnectionId id, Ending how, bool reset, Instant now);
    /// Its party is done with it, and nothing moves either way.
    [[nodiscard]] bool is_idle_and_half_closed(const TcpConnection& connection, Instant now) const;
    /// Of a leg: connections without another half.
    [[nodiscard]] std::size_t waiting(const TcpLeg& leg) const { return leg.connections.size() - engaged(leg); }
    void tell_disconnected(const TcpConnection& one, Ending how, Instant now);
    void forget(const TcpConnection& connection, bool close, bool reset);
    /// Where the party of the leg is to be dialled; tells when it would be, were it somewhere else.
    [[nodiscard]] std::optional<Endpoint> place_to_dial(TcpLeg& leg);
    void drop(TcpLeg& leg, Drop reason, const Endpoint& source, std::optional<ConnectFailure> why = {},
              SourceRule rule = {});

    LegTable& legs_;
    TcpTimes times_;
    RangeSet dial_for_;
    std::unordered_map<ConnectionId, TcpConnection> connections_;
    ConnectionId last_id_ = 0;
    std::vector<TcpEffect> effects_;
};

}  // namespace natkit::relay
