#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "../output.hpp"
#include "../servers.hpp"
#include "host_names.hpp"
#include "natkit/base/deadlines.hpp"
#include "natkit/base/recent.hpp"
#include "natkit/dialog/call.hpp"
#include "natkit/loop/scheme.hpp"
#include "natkit/proxy/media_shares.hpp"
#include "natkit/record/pass.hpp"
#include "natkit/sdp/document.hpp"
#include "natkit/sdp/rewrite.hpp"

namespace natkit::edge {

using SessionId = std::uint64_t;

using dialog::End;
using dialog::other;

/// The media of calls: which streams need a relay, which legs they have, what each end is shown (RFC 3264 through a
/// middlebox). A session is one branch of one INVITE and the dialog that comes of it; each of its streams is a pass of
/// loop::Scheme, so that calls which come through the edge again share one relay, or none. Sans-I/O.
///
/// An offer that needs new legs waits for them: on_leg_opened() tells when it is ready. What a re-offer would change
/// takes effect with its answer, and counts with close_exchange(); reject() takes it back. Which body is an
/// offer and which an answer is the caller's to know: it follows from the messages that carry them.
class Media {
  public:
    /// What a message has waited for is there.
    struct Ready {
        std::uint64_t message = 0;  ///< the number it was given
        Result<std::string> body;   ///< to send on, or an error: nothing was changed
    };

    struct Summary {  ///< for `calls`
        SessionId id = 0;
        std::string call_id;
        EndInfo caller;
        EndInfo callee;
        bool established = false;
        Instant began{};
        std::optional<Instant> answered;
        std::size_t relayed_streams = 0;
        nat::Decision decision;  ///< the last one; before the first offer, what the places of its ends give
    };

    /// Both outlive it. `servers`: one may bring back what another was shown; null: there are none.
    explicit Media(const Settings& settings, const Servers* servers = nullptr);

    [[nodiscard]] SessionId create(std::string call_id, EndInfo caller, EndInfo callee, Instant now);
    /// The session of a dialog, whichever end speaks; `to_tag` may be unknown to us yet.
    /// A call that comes through the edge twice (by another server) has two sessions of the same tags: `flows`, the
    /// dialog's token, tells them apart.
    [[nodiscard]] std::optional<SessionId> find(std::string_view call_id, std::string_view from_tag,
                                                std::string_view to_tag, const sip::DialogToken* flows = nullptr) const;
    /// Which end of the session owns that tag (the From tag of a request).
    [[nodiscard]] End end_of(SessionId session, std::string_view from_tag) const;
    /// The call goes to another place, as nobody answered at the first.
    void set_callee(SessionId session, const sip::Flow& flow, const nat::Verdict& verdict);
    void set_callee_tag(SessionId session, std::string tag);
    /// Where requests to this end go, as its messages say (RFC 3261 section 12.2.1.2); empty: nothing is said.
    void set_contact(SessionId session, End end, std::string contact) {
        if (!contact.empty()) sessions_.at(session).ends[static_cast<std::size_t>(end)].contact = std::move(contact);
    }
    void set_routes(SessionId session, End end, std::string routes) {
        sessions_.at(session).ends[static_cast<std::size_t>(end)].routes = std::move(routes);
    }
    /// The first Call-ID of the call that this one belongs to: another one where the call came through the edge before,
    /// and whoever sent it back gave it a Call-ID of its own, but handed a media port of the edge on. As long as both
    /// last; else the same.
    [[nodiscard]] std::string_view first_call_id(std::string_view call_id) const;
    /// All sessions of a Call-ID.
    [[nodiscard]] std::vector<SessionId> of_call(std::string_view call_id) const;
    [[nodiscard]] const std::string& callee_tag(SessionId session) const { return sessions_.at(session).ends[1].tag; }
    /// Whether a call with this token has ended, as far as is known, and no other with it goes on. What may still be on
    /// its way belongs to it for a while: a BYE that crosses another, and the NOTIFY of a transfer (RFC 5057).
    [[nodiscard]] bool has_ended(std::string_view call_id, const sip::DialogToken& token, std::string_view method,
                                 Instant now) const;
    /// The flows that the dialog's token names, where they are not those of its ends any more.
    void set_token(SessionId session, const sip::DialogToken& token) { sessions_.at(session).token = token; }
    void set_established(SessionId session, Instant now, Output& out);
    /// Whom the session's media ports are counted for; else nobody, as for the LAN.
    void set_payer(SessionId session, proxy::Payer payer) { sessions_.at(session).payer = std::move(payer); }
    /// A request of the caller has come that has the dialog's token: it receives what is sent to its signalling
    /// address. Its media there need no other proof.
    void prove_caller(SessionId session, Output& out);
    [[nodiscard]] const EndInfo& end_info(SessionId session, End end) const {
        return sessions_.at(session).ends[static_cast<std::size_t>(end)];
    }
    [[nodiscard]] const sip::DialogToken& token(SessionId session) const { return sessions_.at(session).token; }
    /// An end speaks by another flow now: a NAT has given it another port, or it has another connection. Its place is
    /// looked at again.
    void set_flow(SessionId session, End end, const sip::Flow& flow, const nat::Verdict& verdict, Instant now,
                  Output& out);
    /// A client has registered by another flow: the calls it is in go there.
    void follow(const sip::Binding& binding);
    [[nodiscard]] bool contains(SessionId session) const { return sessions_.contains(session); }
    [[nodiscard]] bool established(SessionId session) const;

    /// An offer on its way from one end to the other. Refused (Errc::usage) while another one is open, unless that has
    /// the same owner and end and nobody could answer it yet: then it takes its place. The body to send on, or an
    /// error: nothing was changed. Nothing: legs are being opened, and a Ready with this number comes of
    /// on_leg_opened().
    [[nodiscard]] std::optional<Result<std::string>> offer(SessionId session, const dialog::Offer& opened,
                                                           const std::string& body, std::uint64_t message, Instant now,
                                                           Output& out);
    /// The answer to the open offer: both parties' endpoints take effect, legs are joined. Repeated until the exchange
    /// is closed, it gets the same rewriting again.
    [[nodiscard]] Result<std::string> answer(SessionId session, End from, const std::string& body, Instant now,
                                             Output& out);
    /// A description that is neither: a copy that comes late, or one that nobody asked for. It shows what the other end
    /// has been shown already, and changes nothing.
    [[nodiscard]] Result<std::string> repeat(SessionId session, End from, const std::string& body, Output& out);
    /// An ACK with the answer to a late offer, or without one (empty): the exchange of that CSeq is closed. Returns the
    /// body to send on.
    [[nodiscard]] Result<std::string> acknowledge(SessionId session, End from, std::uint32_t cseq,
                                                  const std::string& body, Instant now, Output& out);
    /// Its offers and answers so far.
    [[nodiscard]] const dialog::Exchange& exchange(SessionId session) const {
        return sessions_.at(session).call.exchange();
    }
    /// The open exchange is over. With an answer it counts; without, it is as if it had failed.
    void close_exchange(SessionId session, Instant now, Output& out);
    /// The open offer of that owner was refused: what it changed is taken back, legs opened for it are freed.
    void reject(SessionId session, std::uint64_t owner, Instant now, Output& out);
    /// The INVITE was challenged: its session keeps its ports for 32 s, as it will come again (1,000 sessions at most).
    void park(SessionId session, std::string_view why, Instant now, Output& out);
    /// The session of a challenged INVITE that comes again, by the same flows.
    [[nodiscard]] std::optional<SessionId> resume(std::string_view call_id, const EndInfo& caller,
                                                  const EndInfo& callee, Instant now);
    /// Another To-tag for an INVITE that forked beyond the edge: a session that shares the leg towards the callee.
    /// `open`: the caller's offer, which every callee answers for itself.
    [[nodiscard]] SessionId fork(SessionId original, std::string tag, const std::optional<dialog::Offer>& open,
                                 Instant now);
    /// Opens the legs that a fork's answer needs: as offer(), with an empty text.
    [[nodiscard]] std::optional<Result<std::string>> open_for_answer(SessionId session, std::uint64_t message,
                                                                     Output& out);
    /// A 2xx to the INVITE: this session has the legs that it shares with other answers.
    void win(SessionId session, Instant now, Output& out);
    /// Another answer has won: the legs part within a second. Without a 2xx of its own (win()) the session ends after
    /// 32 s.
    void retire(SessionId session, Instant now, Output& out);
    /// RFC 4028: without a refresh the session ends after so long; nothing: no such timer.
    void set_timer(SessionId session, std::optional<std::chrono::seconds> interval, Instant now);
    /// Frees everything. `why` for the event.
    void end(SessionId session, std::string_view why, Instant now, Output& out);

    /// The answer to an OpenLeg: what has waited for it alone.
    [[nodiscard]] std::optional<Ready> on_leg_opened(std::uint64_t ticket, Result<RelayLeg> leg, Instant now,
                                                     Output& out);
    /// mediarelay has freed these legs by itself (silence).
    void on_legs_lost(const std::vector<std::string>& legs, Instant now, Output& out);

    /// After a restart: gathers the established calls from before; restore() takes all of them up, as they may share
    /// their legs, and says which legs are theirs.
    void remember(SessionState state) { remembered_.push_back(std::move(state)); }
    [[nodiscard]] std::vector<std::string> restore(Instant now);

    void on_time(Instant now, Output& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const;
    /// The ids of all legs that are open or parted.
    [[nodiscard]] std::vector<std::string> legs() const;
    /// Of `most` sessions at most, the next ones after that one.
    [[nodiscard]] std::vector<Summary> summaries(SessionId after = 0, std::size_t most = SIZE_MAX) const;
    /// What its neighbours have said and are shown, and which legs are joined; nothing: it has ended.
    [[nodiscard]] std::optional<record::Pass> pass(SessionId session) const;
    /// The same of each session with that Call-ID.
    [[nodiscard]] std::vector<record::Pass> passes(std::string_view call_id) const;
    [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }
    /// The connections by which an end of a session is reached.
    void add_connections(std::unordered_set<std::uint64_t>& connections) const;
    /// What names in descriptions stand for: those that unknown() names must be learned before offer() or answer().
    [[nodiscard]] HostNames& names() noexcept { return names_; }
    /// Collect RewriteEvents too (they cost two copies of each SDP).
    void set_verbose(bool on) noexcept { verbose_ = on; }

  private:
    using Stream = dialog::Stream;  ///< its `legs` is its pass of the scheme
    struct Acknowledged {           ///< the last answer in an ACK: a repeated ACK gets the same
        std::uint32_t cseq = 0;
        std::string before;
        std::string after;
    };
    struct Session {
        std::string call_id;
        std::string first_call_id;  ///< where it is another one
        std::array<EndInfo, 2> ends;
        dialog::Call call;
        std::array<Numbered, 2> told;  ///< what the caller and the callee were sent last
        Acknowledged acknowledged;
        loop::SlotId keeper = 0;           ///< the leg that the state is kept with
        std::vector<nat::Reason> reasons;  ///< of the last decision
        proxy::Payer payer;                ///< whom its legs are counted for
        sip::DialogToken token;            ///< the flows that its dialog token names
        std::vector<std::string> codecs;   ///< by stream, as both agreed
        Instant began{};                   ///< when its INVITE came
        std::optional<Instant> answered;   ///< when its 2xx did
        Instant last_moment{};             ///< max_dialog
        Instant ends_at{};                 ///< by itself; never after last_moment
        std::string ends_by;               ///< the reason then
        bool parked = false;
        bool retired = false;
        bool established = false;
        bool announced = false;
        bool caller_proven = false;  ///< what was sent to the caller's signalling address has arrived there
        bool one_sided = false;      ///< a neighbour that anchors one direction was told of
    };
    /// What a leg is counted as.
    struct Charge {
        proxy::Payer payer;
        std::size_t pool = 0;
    };
    /// The slot of an end of a stream that needs a leg.
    struct Need {
        loop::SlotId slot = 0;
        nat::Whereabouts where;  ///< decides side and family of its address
        const loop::Speaker* own = nullptr;
    };
    /// The leg that mediarelay has for a slot of the scheme.
    struct LiveLeg {
        SessionId session = 0;
        std::size_t stream = 0;
        std::optional<RelayLeg> opened;
        std::optional<Charge> charged{};
        relay::Stream kind{};
        bool parted = false;
        loop::SlotId joined = 0;                 ///< as mediarelay was told
        std::optional<relay::Party> told_party;  ///< likewise
        unsigned told_renewals = 0;              ///< its Speaker's `renewals` then
        bool told_hold = false;
        bool told_mux = false;
        bool towards_lan = false;         ///< the neighbour's side when the leg was opened
        std::vector<IpAddress> shown_to;  ///< neighbours that may name it in a description of their own; at most 8
    };
    using Shown = std::vector<std::optional<loop::Shown>>;  ///< by m= line; nothing: left as it is
    struct Waiting {                                        ///< an offer whose legs are being opened
        SessionId session = 0;
        std::uint64_t owner = 0;  ///< of the offer
        End offerer{};
        std::optional<sdp::Document> sdp;  ///< empty: nothing is to be rewritten
        Shown shown;
        std::size_t missing = 0;
        std::optional<Error> failed = std::nullopt;
        std::uint64_t message = 0;  ///< of who waits
    };
    struct Ticket {
        std::uint64_t waiting = 0;
        loop::SlotId slot = 0;
    };
    // sessions.cpp
    void plan(SessionId id, Instant when, std::string why, Instant now);
    void end_those_due(Instant now, Output& out);
    [[nodiscard]] std::vector<loop::SlotId> slots_of(const Session& session) const;
    [[nodiscard]] EndedCall summed_up(const Session& session) const;
    void inherit(const std::vector<loop::SlotId>& slots, SessionId ended, const std::string& call_id);

    void index_bindings(SessionId id);
    void forget_bindings(SessionId id);
    void move_end(SessionId id, End end, const sip::Flow& flow, const nat::Verdict& verdict);

    // media.cpp: who is where
    [[nodiscard]] nat::Whereabouts neighbour(const Session& session, End end) const;
    [[nodiscard]] nat::Whereabouts speaker(const Session& session, End end, const std::optional<Endpoint>& said) const;
    [[nodiscard]] Result<loop::Incoming> incoming(const Session& session, SessionId id, End from,
                                                  const dialog::Said& said, bool renew = false) const;
    [[nodiscard]] bool is_own(const std::optional<Endpoint>& said) const;
    [[nodiscard]] nat::Decision decide_between(const nat::Whereabouts& a, const nat::Whereabouts& b) const;
    [[nodiscard]] nat::Decision decision_of(const Session& session) const;

    // exchange.cpp: offers and answers
    [[nodiscard]] Result<void> few_enough(const sdp::Document& sdp) const;
    [[nodiscard]] Result<Shown> take_offer(SessionId id, End from, const sdp::Document& sdp, Output& out);
    [[nodiscard]] Result<Shown> take_answer(SessionId id, End from, const sdp::Document& sdp, Output& out);
    [[nodiscard]] nat::Decision decide(const Session& session, const Stream& stream, End from,
                                       const loop::Incoming& said) const;
    void announce(Session& session, const nat::Decision& told, Output& out) const;
    [[nodiscard]] Result<std::string> rewritten(Session& session, End from, const sdp::Document& sdp,
                                                const Shown& shown, Output& out) const;
    static void number(Numbered& told, std::string& text, const sdp::Span& version);
    void carry_out(const dialog::LegChanges& changes, Instant now, Output& out);
    void end_passes(const std::vector<loop::PassId>& passes);
    [[nodiscard]] bool on_its_side(const Session& session, const Stream& stream) const;

    // one_sided.cpp: neighbours that anchor the media of one direction
    void bridge_one_sided(SessionId id, End from, Output& out);
    void tell_one_sided(Session& session, End from, const loop::OneSided& found, Output& out);
    [[nodiscard]] const LiveLeg* near_leg(loop::PassId pass) const;
    [[nodiscard]] std::optional<std::pair<const LiveLeg*, End>> place_of_bridge(loop::SlotId slot,
                                                                                loop::PassId pass) const;
    void on_bridge_opened(loop::SlotId slot, Result<RelayLeg> opened, Instant now, Output& out);
    void bridge_again(SessionId id, const std::map<SessionId, const SessionState*>& states);

    static void warn_not_bundled(const Session& session, Output& out);

    // described.cpp: what a description says of a stream, and is to say
    [[nodiscard]] Result<dialog::Described> described_in(const sdp::Document& sdp, const sdp::Media& media,
                                                         bool offers) const;
    [[nodiscard]] Result<std::optional<Endpoint>> endpoint_in(const sdp::Document& sdp, const sdp::Media& media) const;
    [[nodiscard]] Result<std::optional<sdp::MediaTarget>> target(const sdp::Document& sdp, const sdp::Media& media,
                                                                 const loop::Shown& shown, bool offers) const;

    // legs.cpp: the scheme's legs and mediarelay's
    [[nodiscard]] bool may_resolve(const LiveLeg& leg, const Session& session, SessionId id, End from) const;
    /// A neighbour of the session has named that slot.
    void note_same_call(Session& session, loop::SlotId named);
    void note_shown(loop::SlotId slot, const Session& session, End to);
    [[nodiscard]] std::size_t open_legs(SessionId id, std::uint64_t waiting, Output& out);
    [[nodiscard]] std::optional<Need> need_of(const Session& session, const Stream& stream, End end) const;
    [[nodiscard]] Result<void> affordable(SessionId id);
    void charge(LiveLeg& leg, const proxy::Payer& payer, const nat::Whereabouts& where);
    void forget(loop::SlotId slot);
    [[nodiscard]] LiveLeg& leg_for(const Need& need, SessionId id, std::size_t number, End end);
    [[nodiscard]] OpenLeg request_for(const Need& need, LiveLeg& leg, std::uint64_t waiting);
    [[nodiscard]] relay::Party party_of(const loop::Speaker& speaker) const;

    // facing.cpp: what a leg is told of the party that it faces
    [[nodiscard]] relay::Party faced(loop::SlotId id, const LiveLeg& leg, const loop::Speaker& speaker) const;
    [[nodiscard]] bool unproven(const Session& session, End end, const loop::Speaker& speaker) const;
    [[nodiscard]] std::string call_id_of(const LiveLeg& leg) const;
    [[nodiscard]] const Stream* stream_of(const LiveLeg& leg) const;
    void follow_scheme(Instant now, Output& out);
    void tell_and_join(loop::SlotId id, LiveLeg& live, Instant now, Output& out);
    void tell_party(loop::SlotId id, LiveLeg& live, Output& out);
    void part_soon(loop::SlotId slot, Instant now);
    [[nodiscard]] bool retired(const LiveLeg& live) const;
    static void part(LiveLeg& live, Output& out);
    void part_superfluous(Instant now, Output& out);
    void keep(Session& session, Output& out);
    [[nodiscard]] LiveLeg* live(loop::SlotId slot);
    [[nodiscard]] const LiveLeg* live(loop::SlotId slot) const;

    // restore.cpp
    [[nodiscard]] SessionId recreate(const SessionState& state, Instant now);
    [[nodiscard]] bool in_turn(SessionId id, const std::unordered_set<Endpoint, EndpointHash>& kept) const;
    void replay_offer(SessionId id, const SessionState& state);
    void take_up(SessionId id, std::size_t stream, End end, const SessionState& state);
    void replay_answer(SessionId id);
    [[nodiscard]] std::vector<std::string> claimed();

    const Settings& settings_;
    const Servers* servers_;
    loop::Scheme scheme_;
    proxy::MediaShares shares_;
    HostNames names_;
    SessionId next_session_ = 1;
    std::uint64_t next_ticket_ = 1;
    std::unordered_map<SessionId, Session> sessions_;
    std::multimap<std::string_view, SessionId> by_call_id_;  ///< each of Session::call_id
    std::unordered_multimap<std::string, SessionId> by_binding_;
    std::unordered_map<loop::SlotId, LiveLeg> legs_;
    std::unordered_map<Endpoint, loop::SlotId, EndpointHash> by_local_;
    std::unordered_map<std::uint64_t, Waiting> waiting_;
    std::unordered_map<std::uint64_t, Ticket> tickets_;
    Deadlines<SessionId> deadlines_;
    Deadlines<loop::SlotId> superfluous_;
    std::vector<SessionState> remembered_;
    std::size_t parked_ = 0;
    Recent<std::uint64_t, Instant> ended_{16'384};  ///< when, by a print of Call-ID and token
    bool verbose_ = false;
};

}  // namespace natkit::edge
