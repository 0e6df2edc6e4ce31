#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"
#include "natkit/relay/probation.hpp"

namespace natkit::relay {

/// How a component may learn where its party sends from (design: mediarelay, Sources).
enum class SourcePolicy : std::uint8_t {
    exact,         ///< `wan` with source_port_restriction: the signalled address and port, nothing else
    learn_port,    ///< `wan` without it, and LAN: any port of the signalled address; one of them is where packets go
    one_port,      ///< the same, but only the one port that was learned is accepted, also after a silence
    any_port,      ///< any port of the signalled address is accepted, and packets go to the signalled one alone
    latch,         ///< far-end: one source from the visible address or its site (RFC 7362 restricted latching)
    first_source,  ///< nothing is known of where the party sends from: whoever sends first, by probation
};

/// The rule by which an endpoint became the one that packets go to.
enum class SourceRule : std::uint8_t {
    exact,           ///< it is the signalled one
    port_learned,    ///< the signalled address, another port
    latch,           ///< from the visible address or its site, first or by probation
    rebind,          ///< the old source went silent and this one carries its stream on, or has passed probation since
    forwarded_port,  ///< TCP: the visible address of a far-end party, at the port it signalled
};

/// Why a packet, or a TCP connection, is not relayed. One counter each.
enum class Drop : std::uint8_t {
    no_party,         ///< nobody has been signalled for this leg yet
    wrong_address,    ///< the source's address is not the party's
    wrong_port,       ///< the right address, and not the port that was signalled or learned
    quarantined,      ///< the endpoint that signalling has just replaced
    not_joined,       ///< the leg has no other side
    peer_unknown,     ///< the other side has sent nothing yet, and may not be sent to before
    not_sent,         ///< the system did not take the packet
    wrong_role,       ///< TCP: this party is to be connected to, or nobody is to connect now (RFC 4145)
    too_many,         ///< TCP: as many connections as were agreed are open
    not_connected,    ///< TCP: the party could not be reached
    not_met,          ///< TCP: the other party did not connect in time
    not_dialled,      ///< TCP: the party is not where its signalling comes from, and is not connected to
    unproven,         ///< nothing has come from the stranger's endpoint, and it has been sent enough
    wrong_interface,  ///< a source of the LAN, by an interface that is not the LAN's: spoofed
};
inline constexpr std::size_t drop_count = 14;

[[nodiscard]] const char* to_string(SourcePolicy policy) noexcept;  ///< "exact", "learn-port", "latch"
[[nodiscard]] const char* to_string(SourceRule rule) noexcept;      ///< "exact", "port-learned", …
[[nodiscard]] const char* to_string(Drop reason) noexcept;          ///< "no-party", "wrong-address", …

/// After signalling changed an endpoint, packets from the old one are late ones for this long; then, if nothing new
/// came, it is taken to be in use still.
inline constexpr Duration quarantine_time = std::chrono::seconds(3);
/// How long a source must have been silent before another may carry on its stream.
inline constexpr Duration rebind_silence = std::chrono::seconds(2);
/// How long after a takeover the stream of a source that was learned by another host may come from elsewhere at once.
inline constexpr Duration handover_time = std::chrono::seconds(5);
/// How far its sequence may have run on meanwhile (RFC 3550 appendix A.1, MAX_DROPOUT).
inline constexpr std::uint16_t rebind_gap = 3000;

/// Decides, for one component of a leg, which packets are its party's and where packets to it go. Pure: no I/O, no
/// clock, no allocation.
///
/// A latch has at most one *holder*: the source that packets go to. The first allowed source of any kind holds it
/// *provisionally*; RTP in sequence *confirms* a source (Probation), which then may send anything. A confirmed holder
/// loses the latch by signalling, or to another source after its own silence, and that one gives it back to it.
class Latch {
  public:
    /// What signalling says about the party.
    struct Signal {
        SourcePolicy policy{};
        std::optional<Endpoint> endpoint;  ///< as signalled; for `latch` its port and whether it changed count
        IpRange allowed = IpRange::single(IpAddress());  ///< for `latch`: the visible address or its site

        /// Whether `next`, said after this, begins anew: what was learned is forgotten.
        [[nodiscard]] bool opened_by(const Signal& next) const noexcept;

        friend bool operator==(const Signal&, const Signal&) = default;
    };

    struct Verdict {
        bool accepted = false;
        Drop reason{};                      ///< when not accepted
        std::optional<SourceRule> learned;  ///< when this packet made its source the holder
        bool confirmed = false;             ///< when this packet confirmed its source
    };

    /// What a journal keeps of a holder.
    struct Known {
        Endpoint source;
        SourceRule rule{};
        bool confirmed = false;
        std::optional<std::uint32_t> ssrc;  ///< of its RTP
    };

    /// Signalling spoke. The same signal again changes nothing. Another one opens the latch, and puts the source it
    /// replaces in quarantine.
    void signal(const Signal& signal, Instant now) noexcept;
    /// The SSRCs that the party has announced.
    void expect(const Ssrcs& announced) noexcept { announced_ = announced; }
    /// Whether the description lets the party send: else its silence says nothing, and nobody may take its place.
    void let_send(bool may_send, Instant now) noexcept;
    /// No RTP is to come (a `udp` stream): nothing can confirm a source, which is as good as confirmed by its first
    /// packet.
    void expect_no_rtp() noexcept { rtp_ = false; }
    /// Signalling says that the party starts anew at the same endpoint (resumes from hold): its present source stays
    /// good, and all go through probation again.
    void reopen() noexcept;
    /// Takes a holder up again after a restart, from when its silence counts at the earliest. `handover`: for so long,
    /// and until it sends itself, its stream may come from another source, which then takes its place at once.
    void restore(const Known& holder, Instant now, Duration handover = {}) noexcept;

    [[nodiscard]] Verdict on_packet(const Endpoint& source, const std::optional<StreamMark>& mark,
                                    Instant now) noexcept;

    /// Packets of the holder, the last one with that mark, have come by another way, which accepts nobody else's.
    void carried(const StreamMark& mark, Instant last) noexcept;
    /// Whether the holder, confirmed, is beyond doubt: no probation and no resuming is going on.
    [[nodiscard]] bool settled() const noexcept { return source_ && target_ == source_ && confirmed_ && !reopened_; }

    /// For RTCP, which has no sequence: its RTP sibling is confirmed at `address` with stream `ssrc`, so the next
    /// packet with both is the party's too.
    void follow(const IpAddress& address, std::uint32_t ssrc) noexcept;

    /// Where packets to the party go: the holder, else what was signalled and may be used as such.
    [[nodiscard]] const std::optional<Endpoint>& target() const noexcept { return target_; }
    /// The holder (or the exact source).
    [[nodiscard]] const std::optional<Endpoint>& source() const noexcept { return source_; }
    [[nodiscard]] SourceRule rule() const noexcept { return rule_; }
    [[nodiscard]] bool confirmed() const noexcept { return confirmed_; }
    /// Of the holder's last RTP packet, else of its last RTCP packet.
    [[nodiscard]] const std::optional<StreamMark>& mark() const noexcept { return mark_; }
    [[nodiscard]] bool signalled() const noexcept { return signalled_; }
    [[nodiscard]] const Signal& last_signal() const noexcept { return signal_; }

  private:
    struct Claim {
        SourceRule rule{};
        bool confirmed = false;
    };
    struct Former {  ///< a confirmed holder that another source has ousted
        Endpoint source;
        std::optional<StreamMark> mark;
    };

    [[nodiscard]] std::optional<Drop> refuse_address(const Endpoint& source) const noexcept;
    [[nodiscard]] Verdict from_holder(const std::optional<StreamMark>& mark, Instant now) noexcept;
    [[nodiscard]] std::optional<Claim> claim(const Endpoint& source, const std::optional<StreamMark>& mark,
                                             Instant now) noexcept;
    [[nodiscard]] std::optional<Claim> claim_after_silence(const Endpoint& source,
                                                           const std::optional<StreamMark>& mark, Instant now) noexcept;
    [[nodiscard]] bool passes_probation(const Endpoint& source, const StreamMark& mark, bool holder,
                                        Instant now) noexcept;
    [[nodiscard]] bool at_signalled_port(const Endpoint& source) const noexcept;
    [[nodiscard]] Standing standing(const Endpoint& source, bool sends_rtp,
                                    const std::optional<StreamMark>& mark) const noexcept;
    [[nodiscard]] SourceRule first_rule(const Endpoint& source) const noexcept;
    [[nodiscard]] bool silent(Instant now) const noexcept;
    [[nodiscard]] bool is_handed_over(const std::optional<StreamMark>& mark, Instant now) const noexcept;
    [[nodiscard]] bool is_rtp(const std::optional<StreamMark>& mark) const noexcept {
        return rtp_ && mark && mark->sequence;
    }
    [[nodiscard]] bool follows(const IpAddress& address, const std::optional<StreamMark>& mark) const noexcept;
    [[nodiscard]] bool comes_back(const Endpoint& source, const std::optional<StreamMark>& mark) const noexcept;
    void remember_holder() noexcept;
    void forget_former() noexcept;
    void take(const Endpoint& source, SourceRule rule, bool confirmed) noexcept;
    void note(const std::optional<StreamMark>& mark, Instant now) noexcept;

    // what signalling said
    bool signalled_ = false;
    bool rtp_ = true;
    bool may_send_ = true;
    Signal signal_;
    Ssrcs announced_;
    // the holder
    std::optional<Endpoint> source_;
    std::optional<Endpoint> target_;
    SourceRule rule_{};
    bool confirmed_ = false;
    bool sent_rtp_ = false;  ///< since it holds the latch, or since the party resumed
    bool reopened_ = false;  ///< the party has resumed and nothing has come since
    Instant last_accepted_{};
    std::optional<StreamMark> mark_;
    Instant handover_end_{};  ///< until then its stream may come from elsewhere: it was learned by another host
    // the others
    Probation probation_;
    std::optional<Endpoint> quarantined_;
    Instant quarantine_end_{};
    std::array<std::optional<Former>, 2> former_;  ///< the first since signalling spoke, and the last: a chain of
                                                   ///< others must not make the first one forgotten
    std::optional<Endpoint> learned_port_;  ///< the holder before the signalled port sent: again, when that is silent
    std::optional<Endpoint> refused_;       ///< had taken the place of one that has come back
    std::optional<IpAddress> sibling_address_;
    std::uint32_t sibling_ssrc_ = 0;
};

}  // namespace natkit::relay
