#pragma once

#include <cstdint>
#include <optional>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"

namespace natkit::relay {

/// How a component may learn where its party sends from (design: mediarelay, Sources).
enum class SourcePolicy : std::uint8_t {
    exact,       ///< `wan` with source_port_restriction: the signalled address and port, nothing else
    learn_port,  ///< `wan` without it, and LAN: the signalled address; the first packet decides the port
    latch,       ///< far-end: the first packet from the visible address or its site (RFC 7362 restricted latching)
};

/// The rule by which an endpoint was accepted.
enum class SourceRule : std::uint8_t {
    exact,           ///< it is the signalled one
    port_learned,    ///< the signalled address, another port
    latch,           ///< the first packet from the visible address or its site
    rebind,          ///< the old source went silent and this one carries its stream on
    forwarded_port,  ///< TCP: the visible address of a far-end party, at the port it signalled
};

/// Why a packet, or a TCP connection, is not relayed. One counter each.
enum class Drop : std::uint8_t {
    no_party,       ///< nobody has been signalled for this leg yet
    wrong_address,  ///< the source's address is not the party's
    wrong_port,     ///< the right address, and not the port that was signalled or learned
    quarantined,    ///< the endpoint that signalling has just replaced
    not_joined,     ///< the leg has no other side
    peer_unknown,   ///< the other side has sent nothing yet, and may not be sent to before
    not_sent,       ///< the system did not take the packet
    wrong_role,     ///< TCP: this party is to be connected to, or nobody is to connect now (RFC 4145)
    too_many,       ///< TCP: as many connections as were agreed are open
    not_connected,  ///< TCP: the party could not be reached
    not_met,        ///< TCP: the other party did not connect in time
};
inline constexpr std::size_t drop_count = 11;

[[nodiscard]] const char* to_string(SourcePolicy policy) noexcept;  ///< "exact", "learn-port", "latch"
[[nodiscard]] const char* to_string(SourceRule rule) noexcept;      ///< "exact", "port-learned", …
[[nodiscard]] const char* to_string(Drop reason) noexcept;          ///< "no-party", "wrong-address", …

/// After signalling changed an endpoint, packets from the old one are late ones for this long; then, if nothing new
/// came, it is taken to be in use still.
inline constexpr Duration quarantine_time = std::chrono::seconds(3);
/// How long a source must have been silent before another may carry on its stream.
inline constexpr Duration rebind_silence = std::chrono::seconds(2);
/// How far its sequence may have run on meanwhile (RFC 3550 appendix A.1, MAX_DROPOUT).
inline constexpr std::uint16_t rebind_gap = 3000;

/// What ties a packet to a stream, for `rebind`.
struct StreamMark {
    std::uint32_t ssrc = 0;
    std::optional<std::uint16_t> sequence;  ///< absent for RTCP, which has none

    friend bool operator==(const StreamMark&, const StreamMark&) = default;
};

/// Decides, for one component of a leg, which packets are its party's and where packets to it go. Pure: no I/O, no
/// clock, no allocation.
class Latch {
  public:
    /// What signalling says about the party.
    struct Signal {
        SourcePolicy policy{};
        std::optional<Endpoint> endpoint;  ///< as signalled; for `latch` it only tells whether signalling changed it
        IpRange allowed = IpRange::single(IpAddress());  ///< for `latch`: the visible address or its site

        friend bool operator==(const Signal&, const Signal&) = default;
    };

    struct Verdict {
        bool accepted = false;
        Drop reason{};                      ///< when not accepted
        std::optional<SourceRule> learned;  ///< when this packet decided the source
    };

    /// Signalling spoke. The same signal again changes nothing. Another one opens the latch, and puts the source it
    /// replaces in quarantine.
    void signal(const Signal& signal, Instant now) noexcept;
    /// Nobody is signalled any more.
    void clear() noexcept { *this = Latch(); }
    /// Signalling says that the party starts anew at the same endpoint (resumes from hold): its present source stays
    /// good, and the next packet decides again.
    void reopen() noexcept { reopened_ = source_.has_value() && signal_.policy != SourcePolicy::exact; }
    /// Takes a source up again after a restart.
    void restore(const Endpoint& source, SourceRule rule) noexcept;

    [[nodiscard]] Verdict on_packet(const Endpoint& source, const std::optional<StreamMark>& mark,
                                    Instant now) noexcept;

    /// For RTCP, which has no sequence: its RTP sibling was rebound to `address` and stream `ssrc`, so the next packet
    /// with both is rebound too.
    void sibling_rebound(const IpAddress& address, std::uint32_t ssrc) noexcept;

    /// Where packets to the party go: what was learned, else what was signalled and may be used as such.
    [[nodiscard]] const std::optional<Endpoint>& target() const noexcept { return target_; }
    /// The learned (or exact) source.
    [[nodiscard]] const std::optional<Endpoint>& source() const noexcept { return source_; }
    [[nodiscard]] SourceRule rule() const noexcept { return rule_; }
    [[nodiscard]] const std::optional<StreamMark>& mark() const noexcept { return mark_; }
    [[nodiscard]] bool signalled() const noexcept { return signalled_; }

  private:
    [[nodiscard]] std::optional<Drop> refuse_address(const Endpoint& source) const noexcept;
    [[nodiscard]] bool continues(const Endpoint& source, const std::optional<StreamMark>& mark,
                                 Instant now) const noexcept;
    void take(const Endpoint& source, SourceRule rule) noexcept;
    void note(const std::optional<StreamMark>& mark, Instant now) noexcept;

    bool signalled_ = false;
    bool reopened_ = false;
    Signal signal_;
    std::optional<Endpoint> source_;
    std::optional<Endpoint> target_;
    SourceRule rule_{};
    Instant last_accepted_{};
    std::optional<StreamMark> mark_;
    std::optional<Endpoint> quarantined_;
    Instant quarantine_end_{};
    std::optional<IpAddress> sibling_address_;
    std::uint32_t sibling_ssrc_ = 0;
};

}  // namespace natkit::relay
