#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/nat/classify.hpp"
#include "natkit/relay/latch.hpp"
#include "natkit/relay/proof.hpp"
#include "natkit/relay/stream.hpp"
#include "natkit/relay/target.hpp"
#include "natkit/rtp/statistics.hpp"
#include "natkit/sdp/direction.hpp"

/// Legs and joins: who may send to which local port, and where it goes from there. Pure: packets and time come in,
/// decisions come out. One object serves one thread.
namespace natkit::relay {

/// The neighbour for whom a leg was opened, as signalling describes it.
struct Party {
    nat::Place place{};
    std::optional<Endpoint> endpoint;  ///< of its SDP; of a far-end party it is kept only to notice a change
    std::optional<Endpoint> rtcp;      ///< where a=rtcp says so; else the port after `endpoint`'s
    std::optional<IpAddress> visible;  ///< where its packets are seen to come from; needed for far-end parties
    std::optional<IpRange> site;       ///< the nat_servers range that holds `visible`
    std::optional<sdp::Setup> setup;   ///< TCP: what the party does; absent: either side may connect, as `actpass`
    sdp::Direction direction = sdp::Direction::sendrecv;  ///< of its own description, as both ends have agreed on it
    Ssrcs ssrcs = {};                                     ///< that its description announces (RFC 5576)
    bool unproven = false;  ///< a stranger's WAN endpoint, which nothing but its description says is its own

    friend bool operator==(const Party&, const Party&) = default;
};

/// The source rule for a place (design: mediarelay, Sources).
[[nodiscard]] SourcePolicy source_policy(nat::Place place, bool source_port_restriction) noexcept;

/// What the latch of a leg's first port is told of its party.
[[nodiscard]] Latch::Signal latch_signal(const Party& party, SourcePolicy policy);

/// Whether all that a party says may be used: its endpoints by check_target(), a far-end party's visible address too.
[[nodiscard]] Result<void> check_party(const Party& party, Side side, const Surroundings& surroundings);

using LegKey = std::uint64_t;  ///< chosen by the caller, unique

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

/// What becomes of the audio of a join.
enum class Flow : std::uint8_t {
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

/// Why a TCP connection of ours did not come about.
enum class ConnectFailure : std::uint8_t { refused, timed_out, unreachable, system };

/// How a relayed TCP connection ended.
enum class Ending : std::uint8_t {
    closed,    ///< both directions ended in order
    reset,     ///< by one of the parties, or because it was lost
    replaced,  ///< a new one took its place, as signalled
    parted,    ///< its legs were parted, freed, or told of other parties
    not_met,   ///< its other half never came
};

[[nodiscard]] const char* to_string(ConnectFailure why) noexcept;  ///< "connection refused", … for people
[[nodiscard]] const char* to_string(Ending how) noexcept;          ///< "closed", "reset", …
[[nodiscard]] const char* to_string(Flow flow) noexcept;           ///< "waiting", "two-way", …
[[nodiscard]] const char* to_string(Cause cause) noexcept;         ///< "never-sent", …; "" for none

struct Join;

/// One leg. The fields are the Relay's to change; read them as you like.
struct Leg {
    struct Part {
        Latch latch;
        Counters counters;
        std::uint32_t reported = 0;        ///< bit per Drop: reported since signalling last spoke
        std::uint64_t refused_before = 0;  ///< refusals counted at the last sweep
        bool refused_lately = false;
    };

    LegKey key = 0;
    Stream stream{};
    bool mux = false;  ///< RTCP shares the first port (RFC 5761)
    bool hold = false;
    sdp::Direction direction = sdp::Direction::sendrecv;  ///< of its party
    std::array<Part, 2> parts;                            ///< by Component
    Proof proof;
    rtp::ReceiverStatistics statistics;
    Join* join = nullptr;
    Instant changed{};           ///< when it was opened, parted or signalled last
    void* attachment = nullptr;  ///< the caller's: its sockets

    [[nodiscard]] Part& part(Component component) noexcept { return parts[static_cast<std::size_t>(component)]; }
    [[nodiscard]] const Part& part(Component component) const noexcept {
        return parts[static_cast<std::size_t>(component)];
    }
    [[nodiscard]] Leg* peer() const noexcept;
    [[nodiscard]] Instant last_received() const noexcept;
};

struct Join {
    std::array<Leg*, 2> legs{};
    Instant since{};
    Flow flow = Flow::waiting;
    Cause cause = Cause::none;
    Leg* mute = nullptr;  ///< when one-way: the leg whose party is not heard
    std::size_t index = 0;
};

/// Something worth telling. Packets alone make none; each is told once (see Relay).
struct Event {
    enum class Kind : std::uint8_t {
        latched,       ///< `leg`, `component`, `endpoint`, `rule`, `before`, `confirmed`, `ssrc`
        confirmed,     ///< the same but `before`: what had latched is now more than provisional
        refused,       ///< `leg`, `component`, `endpoint`, `reason`: the first of its kind since signalling last spoke
        flow,          ///< `leg`, `other`, `flow`, `cause`, `mute`
        proven,        ///< `leg`, `endpoint`, `cut`: the first packet of an unproven endpoint has come
        timed_out,     ///< `leg`, `other` (0 when it was never joined), `silent`, `hold`; of a join again and again as
                       ///< long as that lasts: its owner removes it, or keeps it while other media of the call go on
        connected,     ///< TCP: `leg`, `endpoint`, `rule`; `other`, `before`, `other_rule` of its other half
        disconnected,  ///< TCP: `leg`, `other`, `ending`, `bytes`
    };
    Kind kind{};
    LegKey leg = 0;
    LegKey other = 0;
    Component component{};
    Endpoint endpoint;
    std::optional<Endpoint> before;
    SourceRule rule{};
    SourceRule other_rule{};
    Drop reason{};
    std::optional<ConnectFailure> failure;  ///< of `refused` by Drop::not_connected, when `endpoint` was dialled
    Ending ending{};
    std::array<std::uint64_t, 2> bytes{};  ///< received from the party of `leg`, of `other`
    Flow flow{};
    Cause cause{};
    LegKey mute = 0;
    Duration silent{};
    bool hold = false;
    bool confirmed = false;
    bool cut = false;  ///< packets had been kept from it
    std::optional<std::uint32_t> ssrc;
};

struct Timeouts {
    Duration silence = std::chrono::seconds(60);  ///< `timeout`: a joined stream without packets
    Duration hold = std::chrono::hours(2);        ///< `hold_timeout`: the same on hold; and a leg that nobody joins
    Duration unproven = std::chrono::seconds(5);  ///< `unproven_media`: how long an unproven endpoint is sent to

    friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

/// The legs and joins of one thread.
class Relay {
  public:
    /// Where an accepted packet goes: to `endpoint` from `leg`'s socket of `component`. Without a leg it is dropped
    /// (and counted).
    struct Outcome {
        Leg* leg = nullptr;
        Component component{};
        const Endpoint* endpoint = nullptr;
    };

    explicit Relay(Timeouts timeouts) : timeouts_(timeouts) {}
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    /// The leg stays where it is until removed. `key` must be new.
    Leg& add(LegKey key, Stream stream, bool mux, Instant now);
    [[nodiscard]] Leg* find(LegKey key) noexcept;
    /// Parts it first.
    void remove(LegKey key, Instant now);
    /// A parted leg for another Relay, with all it has learned and counted.
    [[nodiscard]] std::unique_ptr<Leg> extract(LegKey key);
    Leg& insert(std::unique_ptr<Leg> leg, Instant now);

    /// The party as signalled now; the same again changes nothing. check_party() is the caller's.
    void signal(Leg& leg, const Party& party, SourcePolicy policy, Instant now);
    void set_hold(Leg& leg, bool hold, Instant now);
    void set_mux(Leg& leg, bool mux) noexcept { leg.mux = mux; }
    /// What a journal says of a leg's component. After signal().
    void restore(Leg& leg, Component component, const Latch::Known& holder, Instant now);

    /// Legs that are joined otherwise are parted first; joining the same two again changes nothing.
    void join(Leg& a, Leg& b, Instant now);
    void part(Leg& leg, Instant now);

    /// The one call per packet: no allocation except for an event, no lock. A forwarded packet is counted as sent;
    /// when the system refuses it, call not_sent().
    [[nodiscard]] Outcome on_packet(Leg& leg, Component component, const Endpoint& source,
                                    std::span<const std::uint8_t> bytes, Instant now);
    /// The packet that came to `from` could not be sent to `outcome`.
    void not_sent(Leg& from, Component component, const Outcome& outcome, std::size_t bytes);

    /// Looks for silence and one-way audio. Due at next_deadline(); earlier calls do nothing.
    void on_time(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const noexcept;

    void set_timeouts(Timeouts timeouts) noexcept { timeouts_ = timeouts; }

    /// What happened since it was last called.
    [[nodiscard]] bool has_events() const noexcept { return !events_.empty(); }
    [[nodiscard]] std::vector<Event> take_events();

    [[nodiscard]] std::size_t leg_count() const noexcept { return legs_.size(); }
    [[nodiscard]] std::size_t join_count() const noexcept { return joins_.size(); }
    [[nodiscard]] const std::unordered_map<LegKey, std::unique_ptr<Leg>>& legs() const noexcept { return legs_; }

  private:
    void drop(Leg& leg, Component component, Drop reason, const Endpoint& source);
    void note_latched(Leg& leg, Component component, const std::optional<Endpoint>& before,
                      const Latch::Verdict& verdict);
    void note_heard(Leg& leg, const Endpoint& source, Instant now);
    [[nodiscard]] Outcome towards(Leg& leg, Component component, bool is_rtcp, std::size_t bytes,
                                  const Endpoint& source, Instant now);
    void look_at(Join& join, Instant now);
    void set_flow(Join& join, Flow flow, Leg* mute, Cause cause);

    Timeouts timeouts_;
    std::unordered_map<LegKey, std::unique_ptr<Leg>> legs_;
    std::vector<std::unique_ptr<Join>> joins_;
    std::vector<Event> events_;
    Instant next_sweep_{};
};

}  // namespace natkit::relay
