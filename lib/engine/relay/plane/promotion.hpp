#pragma once

#include <array>
#include <expected>
#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "fast_path.hpp"
#include "natkit/relay/promotion.hpp"
#include "natkit/relay/relay.hpp"

namespace natkit::relay {

/// What of one thread's legs is forwarded by the kernel. Streams that have settled are promoted at the sweep, and
/// demoted before anything is said about them or changes; whatever the relay decides by silence, it is told first what
/// has gone by.
class Promotion {
  public:
    /// Where a component of a leg is, which the caller knows; nothing where nothing is sent from it.
    struct Place {
        Endpoint local;
        unsigned interface = 0;  ///< by which its party's packets come; 0: not known
    };
    using PlaceOf = std::function<std::optional<Place>(const UdpLeg& leg, Component component)>;

    /// `fast_path` outlives it.
    Promotion(FastPath& fast_path, std::uint8_t tos, Relay& relay, PlaceOf place_of);

    /// Legs of the relay whose flows an earlier process has left go on with their counts. The ports of those flows.
    [[nodiscard]] std::vector<Endpoint> take_up(const std::vector<bpf::FlowTable::Kept>& kept, Instant now);
    /// What is forwarded leaves by that from now on.
    void set_tos(std::uint8_t tos);
    /// RTCP comes to the relay, which is to look at it, whatever becomes of RTP.
    void set_keeps_rtcp(bool keeps);
    /// Why what the leg's party sends is not forwarded; nothing: its RTP is.
    [[nodiscard]] std::optional<NotForwarded> why_not(UdpLeg& leg, Instant now) const;

    /// The leg and the one it is joined with are the relay's again, from now on.
    void demote(UdpLeg& leg);
    /// And those of which a port is where nothing is sent from at present.
    void demote_misplaced();
    /// Tells the relay what has gone by of this leg's join, or of all.
    void catch_up(UdpLeg& leg);
    void catch_up();
    /// Before the relay sees a packet of a leg that is forwarded.
    void before_packet(UdpLeg& leg, Component component, const Endpoint& source, std::span<const std::uint8_t> bytes);
    /// And after it: what is no longer as it was when it was promoted is demoted.
    void after_packet(UdpLeg& leg, Instant now);
    /// After each sweep: renews, promotes, and demotes what goes past the filter though it should not.
    void review(Instant now);
    /// The leg is gone.
    void forget(LegKey key) { barred_.erase(key); }

  private:
    struct Flow {
        Forwarding forwarding;
        bpf::FlowKey key;
        bpf::FlowTable::Slot slot = 0;
        bpf::FlowCount seen;          ///< what the relay has been told
        std::uint64_t strays = 0;     ///< packets of it that have come to the relay all the same
        std::uint64_t at_review = 0;  ///< packets at the last review
    };
    using Flows = std::array<std::optional<Flow>, 2>;  ///< of a leg, by component

    /// As may_forward(); RTCP may be kept.
    [[nodiscard]] std::expected<Forwarding, NotForwarded> may_go(const UdpLeg& leg, Component component, Instant now,
                                                                 bool tried = false) const;
    /// A direction that may be forwarded, and how.
    struct Wanted {
        Forwarding forwarding;
        bpf::FlowKey key;
        bpf::FlowRule rule;
    };
    [[nodiscard]] std::expected<Wanted, NotForwarded> wanted(const UdpLeg& leg, Component component, Instant now) const;
    /// False when the table is full.
    bool promote(UdpLeg& leg, Component component, const Wanted& what);
    /// Promotes what may be. Why not; nothing: it is forwarded.
    std::optional<NotForwarded> settle(UdpLeg& leg, Component component, Instant now);
    [[nodiscard]] bool forwards(UdpLeg& leg, Component component) const;
    [[nodiscard]] bool take_up(UdpLeg& leg, Component component, const bpf::FlowTable::Kept& kept, Instant now);
    void fold(UdpLeg& leg, Component component, Flow& flow, const bpf::FlowCount& count);
    void remove(UdpLeg& leg);
    /// Of what is promoted of a leg.
    enum class State : std::uint8_t {
        same,
        elsewhere,  ///< its packets come by another interface
        changed,    ///< another source, target or SSRC, or nothing that may be forwarded
    };
    [[nodiscard]] State state_of(UdpLeg& leg, Instant now) const;
    void bar(const UdpLeg& leg, NotForwarded why, Instant until) { barred_[leg.key] = {.until = until, .why = why}; }
    [[nodiscard]] std::optional<bpf::FlowRule> rule_of(const UdpLeg& leg, Component component,
                                                       const Forwarding& what) const;

    FastPath& fast_path_;
    std::uint8_t tos_;
    bool keeps_rtcp_ = false;
    Relay& relay_;
    PlaceOf place_of_;
    std::unordered_map<UdpLeg*, Flows> flows_;
    struct Bar {
        Instant until;
        NotForwarded why{};
    };
    std::unordered_map<LegKey, Bar> barred_;  ///< legs that are not promoted before that
    FastPath::LeftCounts left_{};             ///< of this thread, as the fast path has been told
};

}  // namespace natkit::relay
