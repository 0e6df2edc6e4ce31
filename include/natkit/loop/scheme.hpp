#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/dialog/end.hpp"
#include "natkit/nat/decide.hpp"
#include "natkit/sdp/direction.hpp"

/// Media loops: a call that passes the edge several times keeps one relay, or none. Pure.
///
/// A *pass* is one media stream of one dialog going through the edge, from the neighbour on the caller's end to the one
/// on the callee's. A *leg* is a local port (pair) that a pass shows to one of its two neighbours; it *stands for* the
/// party behind it. A *party* is who speaks at a media endpoint; what it was shown as its peer is what it was *told*.
/// A neighbour that names its own endpoint instead of a leg of ours speaks *raw*. Two legs are *joined* when they
/// forward to each other. A leg that comes back in a later pass is taken for the party it stands for; so the two ends
/// of a call always sit on the two sides of one join, or on none, however often the call went through.
namespace natkit::loop {

using dialog::End;  ///< of the pass: towards the caller, towards the callee
using dialog::index;
using dialog::other;

using PassId = std::uint64_t;   ///< never 0
using LegId = std::uint64_t;    ///< 0: none
using PartyId = std::uint64_t;  ///< 0: none

/// What a neighbour says in its session description for this stream, as the edge understands it.
struct Incoming {
    LegId leg = 0;                     ///< a leg of ours that may be resolved; else
    std::optional<Endpoint> endpoint;  ///< its own endpoint. Neither (c=0.0.0.0): the same as the last time
    std::optional<Endpoint> rtcp;      ///< where it wants RTCP
    nat::Party where;                  ///< who speaks `endpoint`: its place, visible address and family
    std::optional<sdp::Setup> setup = std::nullopt;  ///< of a TCP stream, always: as said, or what silence means
    bool renew = false;                              ///< a TCP stream is to be connected anew (RFC 4145 section 5)
};

/// What a neighbour is shown: a leg of ours, or the endpoint of the peer as it is.
struct Shown {
    LegId leg = 0;
    std::optional<Endpoint> raw;
    std::optional<Endpoint> rtcp;  ///< with `raw`
    std::optional<sdp::Setup> setup =
        std::nullopt;  ///< of a TCP stream: what the peer does, as this neighbour is to see it

    friend bool operator==(const Shown&, const Shown&) = default;
};

/// Who speaks at a media endpoint. Written only by the pass at whose end it speaks.
struct Party {
    std::optional<Endpoint> endpoint;  ///< as signalled
    std::optional<Endpoint> rtcp;
    nat::Party where;
    Shown told;  ///< its peer, as it was shown to it
    std::optional<sdp::Setup> setup =
        std::nullopt;       ///< of a TCP stream: what it offers to do; once answered, what it does
    unsigned renewals = 0;  ///< how often it asked for new connections
    bool pending = false;   ///< said in an offer that has no answer yet: media do not go there before
};

/// A leg. Written by the pass that owns it.
struct Leg {
    nat::Party towards;      ///< the neighbour that sees it: decides side and family of the local address
    PartyId stands_for = 0;  ///< the party behind it: what its neighbour sends shall arrive there
    PartyId offered = 0;     ///< will be behind it, where the open offer that says so is answered
};

/// A neighbour between two passes that hands a leg of ours on in one direction of an exchange, and names itself in the
/// other: it wants to anchor the media of that direction alone.
struct OneSided {
    LegId handed_on = 0;     ///< the leg that it named in the pass beyond
    PassId beyond = 0;       ///< the other pass that it has to do with
    PartyId itself = 0;      ///< who speaks where the answer, or the offer, should have named a leg
    bool in_answer = false;  ///< it named itself in the answer; else in the offer
};

/// Whether a media stream between two parties needs a relay.
using NeedsRelay = std::function<bool(const nat::Party&, const nat::Party&)>;

/// All passes of all calls. What an offer changes, fail() takes back.
///
/// Which legs are joined is not kept anywhere: it follows from who stands for whom and who was told what. So no pass
/// ever has to change what belongs to another one, in whatever order offers, answers and failures reach them.
class Scheme {
  public:
    explicit Scheme(NeedsRelay needs_relay) : needs_relay_(std::move(needs_relay)) {}

    /// A new pass between two neighbours, known by their signalling alone so far.
    [[nodiscard]] PassId open(const nat::Party& caller_end, const nat::Party& callee_end);
    /// Another To-tag for the caller's last offer (a fork beyond the edge), answered by the first or not: a pass of its
    /// own that shares the leg towards the callee. Its answer is the latest: that leg is joined for it.
    [[nodiscard]] PassId fork(PassId pass);
    /// The dialog has ended, or the stream was removed. Its legs are gone when no other pass has seen them.
    void close(PassId pass);

    /// The neighbour turned out to be another one (the next place of a server), or speaks from elsewhere.
    /// `speaker`: who speaks raw at that end then, where anybody does.
    void move(PassId pass, End end, const nat::Party& neighbour, const std::optional<nat::Party>& speaker = {});

    /// The neighbour at `from` offers: what to show the other one. An exchange still open fails first.
    [[nodiscard]] Shown offer(PassId pass, End from, const Incoming& incoming);
    /// The other neighbour answers (again, perhaps): what to show the one that offered. After accept(): the same again.
    [[nodiscard]] Shown answer(PassId pass, const Incoming& incoming);
    /// The leg that answer() will show to the one that offered, if it shows one of this pass: made now, so that it can
    /// be opened in time. 0 where none is to be expected.
    [[nodiscard]] LegId prepare(PassId pass);
    /// Of several answers to one offer this pass's is the one that counts: the shared leg is joined for it.
    void prefer(PassId pass);
    /// Whether a neighbour turned out to anchor one direction alone, by the answer that this pass has got and by what
    /// the pass beyond had come to before. Late offers too: there the answer comes in the ACK.
    [[nodiscard]] std::optional<OneSided> one_sided(PassId pass) const;
    /// For a neighbour that named itself in the answer: what it is sent, it sends on to its leg of the pass beyond.
    /// Joins that leg with one towards the party behind it, even where that party was told the other end's own
    /// endpoint. Gives the second leg, made now where there was none; 0: nothing is to be done.
    LegId bridge(const OneSided& found);
    /// The exchange is over and counts.
    void accept(PassId pass);
    /// The offer was refused or given up: the pass is as before it.
    void fail(PassId pass);

    [[nodiscard]] const Leg* leg(LegId leg) const;          ///< null: gone
    [[nodiscard]] const Party* party(PartyId party) const;  ///< null: gone
    /// The leg that it is joined with, or 0.
    [[nodiscard]] LegId mate(LegId leg) const;
    /// Whether it must be open: joined, or shown in an exchange that is not over (media may come early). Where it is
    /// not, its sockets may close; its ports stay set aside.
    [[nodiscard]] bool needed(LegId leg) const;
    /// Who sends to a leg, and is sent to from it: the party that its mate stands for. 0: not joined.
    [[nodiscard]] PartyId remote(LegId leg) const;
    /// Who speaks raw at an end of the pass, or 0: a leg of ours was named there last, or nothing yet.
    [[nodiscard]] PartyId speaks_at(PassId pass, End end) const;
    /// What the neighbour at an end sees: neither a leg nor an endpoint before the first exchange.
    [[nodiscard]] Shown shown(PassId pass, End end) const;
    /// Who made the last offer of the pass, open or not.
    [[nodiscard]] std::optional<End> last_offerer(PassId pass) const;
    /// The pass's leg towards an end, or 0.
    [[nodiscard]] LegId leg_towards(PassId pass, End end) const;
    /// Legs that may have changed since the last call, each once; those that are gone as well.
    [[nodiscard]] std::vector<LegId> take_changed();

    [[nodiscard]] std::size_t passes() const noexcept { return passes_.size(); }
    [[nodiscard]] std::size_t legs() const noexcept { return legs_.size(); }
    [[nodiscard]] std::size_t parties() const noexcept { return parties_.size(); }

  private:
    struct PassEnd {  ///< one end of a pass
        PassId pass = 0;
        nat::Party neighbour;
        PartyId speaker = 0;  ///< who spoke raw at this end
        LegId leg = 0;        ///< ours, for this neighbour
        LegId named = 0;      ///< the leg of ours that this neighbour named last; 0: it spoke raw, or never
        Shown shown;          ///< what this neighbour sees
        std::optional<sdp::Setup> setup_said;  ///< TCP: what this neighbour said last
        bool in_exchange = false;              ///< `leg` is shown in an exchange that is not over
    };
    struct Snapshot {  ///< of an open exchange: what fail() brings back
        std::array<PassEnd, 2> ends;
        std::array<Party, 2> parties;
        std::array<Leg, 2> legs;
    };
    struct Pass {
        std::array<PassEnd, 2> ends;
        std::optional<End> offerer;        ///< of the last exchange
        std::unique_ptr<Snapshot> before;  ///< the exchange is open
    };
    /// A leg or a party, and how many passes refer to it: the one that it belongs to, and those that have seen it.
    template <typename T>
    struct Counted {
        T value;
        std::uint32_t holders = 0;
    };
    struct CountedLeg : Counted<Leg> {
        std::uint32_t exchanges = 0;  ///< that are open and show it
        PassId pass = 0;              ///< that it belongs to
        PassId named_by = 0;          ///< the pass where a neighbour has named it since it was shown last
    };

    [[nodiscard]] PartyId party_meant(Pass& pass, End end, const Incoming& incoming);
    void note_named(LegId leg, PassId pass);
    void make_leg(PassEnd& pass_end);
    [[nodiscard]] LegId give_leg(PassEnd& pass_end, PartyId stands_for);
    [[nodiscard]] LegId give_leg_in_offer(PassEnd& pass_end, PartyId origin);
    [[nodiscard]] static PartyId behind(const Leg& leg) { return leg.offered != 0 ? leg.offered : leg.stands_for; }
    void set_offered(LegId leg, PartyId party);
    [[nodiscard]] bool still_leads_to(const PassEnd& pass_end, PartyId party) const;
    [[nodiscard]] std::optional<sdp::Setup> offered_role(const Pass& pass, End from, PartyId origin,
                                                         const Shown& shown) const;
    [[nodiscard]] std::optional<sdp::Setup> answered_role(const Pass& pass, End offerer, PartyId destination,
                                                          const Shown& shown) const;
    [[nodiscard]] const nat::Party& listener_at(const PassEnd& pass_end) const;
    [[nodiscard]] Shown answer_to_origin(Pass& pass, End offerer, PartyId destination);
    [[nodiscard]] bool speaks_itself(const PassEnd& pass_end) const {
        return pass_end.speaker != 0 && pass_end.named == 0;
    }
    void close_exchanges(Pass& pass);
    void release_leg(PassEnd& pass_end);
    void restore(Pass& pass);
    void set_named(PassEnd& pass_end, LegId leg);
    void set_shown(Pass& pass, End end, const Shown& shown);
    void set_stands_for(LegId leg, PartyId party);
    void hold_leg(LegId leg);
    void drop_leg(LegId leg);
    void hold_party(PartyId party);
    void drop_party(PartyId party);
    void note_changed(const Pass& pass);

    NeedsRelay needs_relay_;
    std::uint64_t next_ = 1;
    std::unordered_map<PassId, Pass> passes_;
    std::unordered_map<LegId, CountedLeg> legs_;
    std::unordered_map<PartyId, Counted<Party>> parties_;
    std::vector<LegId> changed_;
};

}  // namespace natkit::loop
