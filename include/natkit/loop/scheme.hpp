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
/// on the callee's. A *speaker* is who sends and receives at a media endpoint. A *slot* is what a pass shows to one of
/// its two neighbours in place of that: a local port (pair), for which the relay has a leg while it is needed. A slot
/// *stands for* the speaker behind it; what a speaker was shown as its peer is what it was *told*. A neighbour that
/// names its own endpoint instead of a slot of ours speaks *raw*. Two slots are *joined* when they forward to each
/// other. A slot that comes back in a later pass is taken for the speaker it stands for; so the two ends of a call
/// always sit on the two sides of one join, or on none, however often the call went through.
namespace natkit::loop {

using dialog::End;  ///< of the pass: towards the caller, towards the callee
using dialog::index;
using dialog::other;

using PassId = std::uint64_t;     ///< never 0
using SlotId = std::uint64_t;     ///< 0: none
using SpeakerId = std::uint64_t;  ///< 0: none

/// What a neighbour says in its session description for this stream, as the edge understands it.
struct Incoming {
    SlotId slot = 0;                   ///< a slot of ours that may be resolved; else
    std::optional<Endpoint> endpoint;  ///< its own endpoint. Neither (c=0.0.0.0): the same as the last time
    std::optional<Endpoint> rtcp;      ///< where it wants RTCP
    nat::Whereabouts where;            ///< who speaks `endpoint`: its place, visible address and family
    std::optional<sdp::Setup> setup = std::nullopt;  ///< of a TCP stream, always: as said, or what silence means
    bool renew = false;                              ///< a TCP stream is to be connected anew (RFC 4145 section 5)
};

/// What a neighbour is shown: a slot of ours, or the endpoint of the peer as it is.
struct Shown {
    SlotId slot = 0;
    std::optional<Endpoint> raw;
    std::optional<Endpoint> rtcp;  ///< with `raw`
    std::optional<sdp::Setup> setup =
        std::nullopt;  ///< of a TCP stream: what the peer does, as this neighbour is to see it

    friend bool operator==(const Shown&, const Shown&) = default;
};

/// Who speaks at a media endpoint. Written only by the pass at whose end it speaks.
struct Speaker {
    std::optional<Endpoint> endpoint;  ///< as signalled
    std::optional<Endpoint> rtcp;
    nat::Whereabouts where;
    Shown told;  ///< its peer, as it was shown to it
    std::optional<sdp::Setup> setup =
        std::nullopt;       ///< of a TCP stream: what it offers to do; once answered, what it does
    unsigned renewals = 0;  ///< how often it asked for new connections
    bool pending = false;   ///< said in an offer that has no answer yet: media do not go there before
};

/// A slot. Written by the pass that owns it.
struct Slot {
    nat::Whereabouts towards;  ///< the neighbour that sees it: decides side and family of the local address
    SpeakerId stands_for = 0;  ///< the speaker behind it: what its neighbour sends shall arrive there
    SpeakerId offered = 0;     ///< will be behind it, where the open offer that says so is answered
};

/// A neighbour between two passes that hands a slot of ours on in one direction of an exchange, and names itself in the
/// other: it wants to anchor the media of that direction alone.
struct OneSided {
    SlotId handed_on = 0;    ///< the slot that it named in the pass beyond
    PassId beyond = 0;       ///< the other pass that it has to do with
    SpeakerId itself = 0;    ///< who speaks where the answer, or the offer, should have named a slot
    bool in_answer = false;  ///< it named itself in the answer; else in the offer
};

/// Whether a media stream between two speakers needs a relay.
using NeedsRelay = std::function<bool(const nat::Whereabouts&, const nat::Whereabouts&)>;

/// All passes of all calls. What an offer changes, fail() takes back.
///
/// Which slots are joined is not kept anywhere: it follows from who stands for whom and who was told what. So no pass
/// ever has to change what belongs to another one, in whatever order offers, answers and failures reach them.
class Scheme {
  public:
    explicit Scheme(NeedsRelay needs_relay) : needs_relay_(std::move(needs_relay)) {}

    /// A new pass between two neighbours, known by their signalling alone so far.
    [[nodiscard]] PassId open(const nat::Whereabouts& caller_end, const nat::Whereabouts& callee_end);
    /// Another To-tag for the caller's last offer (a fork beyond the edge), answered by the first or not: a pass of its
    /// own that shares the slot towards the callee. Its answer is the latest: that slot is joined for it.
    [[nodiscard]] PassId fork(PassId pass);
    /// The dialog has ended, or the stream was removed. Its slots are gone when no other pass has seen them.
    void close(PassId pass);

    /// The neighbour turned out to be another one (the next place of a server), or speaks from elsewhere.
    /// `speaker`: who speaks raw at that end then, where anybody does.
    void move(PassId pass, End end, const nat::Whereabouts& neighbour,
              const std::optional<nat::Whereabouts>& speaker = {});

    /// The neighbour at `from` offers: what to show the other one. An exchange still open fails first.
    [[nodiscard]] Shown offer(PassId pass, End from, const Incoming& incoming);
    /// The other neighbour answers (again, perhaps): what to show the one that offered. After accept(): the same again.
    [[nodiscard]] Shown answer(PassId pass, const Incoming& incoming);
    /// The slot that answer() will show to the one that offered, if it shows one of this pass: made now, so that it can
    /// be opened in time. 0 where none is to be expected.
    [[nodiscard]] SlotId prepare(PassId pass);
    /// Of several answers to one offer this pass's is the one that counts: the shared slot is joined for it.
    void prefer(PassId pass);
    /// Whether a neighbour turned out to anchor one direction alone, by the answer that this pass has got and by what
    /// the pass beyond had come to before. Late offers too: there the answer comes in the ACK.
    [[nodiscard]] std::optional<OneSided> one_sided(PassId pass) const;
    /// For a neighbour that named itself in the answer: what it is sent, it sends on to its slot of the pass beyond.
    /// Joins that slot with one towards the speaker behind it, even where that speaker was told the other end's own
    /// endpoint. Gives the second slot, made now where there was none; 0: nothing is to be done.
    SlotId bridge(const OneSided& found);
    /// The exchange is over and counts.
    void accept(PassId pass);
    /// The offer was refused or given up: the pass is as before it.
    void fail(PassId pass);

    [[nodiscard]] const Slot* slot(SlotId slot) const;              ///< null: gone
    [[nodiscard]] const Speaker* speaker(SpeakerId speaker) const;  ///< null: gone
    /// The slot that it is joined with, or 0.
    [[nodiscard]] SlotId mate(SlotId slot) const;
    /// Whether it must be open: joined, or shown in an exchange that is not over (media may come early). Where it is
    /// not, its sockets may close; its ports stay set aside.
    [[nodiscard]] bool needed(SlotId slot) const;
    /// Who sends to a slot, and is sent to from it: the speaker that its mate stands for. 0: not joined.
    [[nodiscard]] SpeakerId remote(SlotId slot) const;
    /// Who speaks raw at an end of the pass, or 0: a slot of ours was named there last, or nothing yet.
    [[nodiscard]] SpeakerId speaks_at(PassId pass, End end) const;
    /// What the neighbour at an end sees: neither a slot nor an endpoint before the first exchange.
    [[nodiscard]] Shown shown(PassId pass, End end) const;
    /// Who made the last offer of the pass, open or not.
    [[nodiscard]] std::optional<End> last_offerer(PassId pass) const;
    /// The pass's slot towards an end, or 0.
    [[nodiscard]] SlotId slot_towards(PassId pass, End end) const;
    /// Slots that may have changed since the last call, each once; those that are gone as well.
    [[nodiscard]] std::vector<SlotId> take_changed();

    [[nodiscard]] std::size_t passes() const noexcept { return passes_.size(); }
    [[nodiscard]] std::size_t slots() const noexcept { return slots_.size(); }
    [[nodiscard]] std::size_t speakers() const noexcept { return speakers_.size(); }

  private:
    struct PassEnd {  ///< one end of a pass
        PassId pass = 0;
        nat::Whereabouts neighbour;
        SpeakerId speaker = 0;  ///< who spoke raw at this end
        SlotId slot = 0;        ///< ours, for this neighbour
        SlotId named = 0;       ///< the slot of ours that this neighbour named last; 0: it spoke raw, or never
        Shown shown;            ///< what this neighbour sees
        std::optional<sdp::Setup> setup_said;  ///< TCP: what this neighbour said last
        bool in_exchange = false;              ///< `slot` is shown in an exchange that is not over
    };
    struct Snapshot {  ///< of an open exchange: what fail() brings back
        std::array<PassEnd, 2> ends;
        std::array<Speaker, 2> speakers;
        std::array<Slot, 2> slots;
    };
    struct Pass {
        std::array<PassEnd, 2> ends;
        std::optional<End> offerer;        ///< of the last exchange
        std::unique_ptr<Snapshot> before;  ///< the exchange is open
    };
    /// A slot or a speaker, and how many passes refer to it: the one that it belongs to, and those that have seen it.
    template <typename T>
    struct Counted {
        T value;
        std::uint32_t holders = 0;
    };
    struct CountedSlot : Counted<Slot> {
        std::uint32_t exchanges = 0;  ///< that are open and show it
        PassId pass = 0;              ///< that it belongs to
        PassId named_by = 0;          ///< the pass where a neighbour has named it since it was shown last
    };

    [[nodiscard]] SpeakerId speaker_meant(Pass& pass, End end, const Incoming& incoming);
    void note_named(SlotId slot, PassId pass);
    void make_slot(PassEnd& pass_end);
    [[nodiscard]] SlotId give_slot(PassEnd& pass_end, SpeakerId stands_for);
    [[nodiscard]] SlotId give_slot_in_offer(PassEnd& pass_end, SpeakerId origin);
    [[nodiscard]] static SpeakerId behind(const Slot& slot) {
        return slot.offered != 0 ? slot.offered : slot.stands_for;
    }
    void set_offered(SlotId slot, SpeakerId speaker);
    [[nodiscard]] bool still_leads_to(const PassEnd& pass_end, SpeakerId speaker) const;
    [[nodiscard]] std::optional<sdp::Setup> offered_role(const Pass& pass, End from, SpeakerId origin,
                                                         const Shown& shown) const;
    [[nodiscard]] std::optional<sdp::Setup> answered_role(const Pass& pass, End offerer, SpeakerId destination,
                                                          const Shown& shown) const;
    [[nodiscard]] const nat::Whereabouts& listener_at(const PassEnd& pass_end) const;
    [[nodiscard]] Shown answer_to_origin(Pass& pass, End offerer, SpeakerId destination);
    [[nodiscard]] bool speaks_itself(const PassEnd& pass_end) const {
        return pass_end.speaker != 0 && pass_end.named == 0;
    }
    void close_exchanges(Pass& pass);
    void release_slot(PassEnd& pass_end);
    void restore(Pass& pass);
    void set_named(PassEnd& pass_end, SlotId slot);
    void set_shown(Pass& pass, End end, const Shown& shown);
    void set_stands_for(SlotId slot, SpeakerId speaker);
    void hold_slot(SlotId slot);
    void drop_slot(SlotId slot);
    void hold_speaker(SpeakerId speaker);
    void drop_speaker(SpeakerId speaker);
    void note_changed(const Pass& pass);

    NeedsRelay needs_relay_;
    std::uint64_t next_ = 1;
    std::unordered_map<PassId, Pass> passes_;
    std::unordered_map<SlotId, CountedSlot> slots_;
    std::unordered_map<SpeakerId, Counted<Speaker>> speakers_;
    std::vector<SlotId> changed_;
};

}  // namespace natkit::loop
