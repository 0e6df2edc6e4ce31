#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "natkit/relay/event.hpp"
#include "natkit/relay/party.hpp"
#include "natkit/relay/proof.hpp"
#include "natkit/rtp/statistics.hpp"
#include "natkit/sdp/direction.hpp"

/// Legs and joins: who may send to which local port, and where it goes from there. Pure: packets and time come in,
/// decisions come out. One object serves one thread.
namespace natkit::relay {

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
    AudioState audio = AudioState::waiting;
    Cause cause = Cause::none;
    Leg* mute = nullptr;  ///< when one-way: the leg whose party is not heard
    std::size_t index = 0;
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
    void set_audio(Join& join, AudioState audio, Leg* mute, Cause cause);

    Timeouts timeouts_;
    std::unordered_map<LegKey, std::unique_ptr<Leg>> legs_;
    std::vector<std::unique_ptr<Join>> joins_;
    std::vector<Event> events_;
    Instant next_sweep_{};
};

}  // namespace natkit::relay
