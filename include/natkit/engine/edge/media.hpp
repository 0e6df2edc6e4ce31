#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/base/deadlines.hpp"
#include "natkit/engine/edge/output.hpp"
#include "natkit/sdp/document.hpp"

namespace natkit::edge {

using SessionId = std::uint64_t;

/// The two ends of a session, as indices.
enum class End : std::uint8_t { caller = 0, callee = 1 };

[[nodiscard]] constexpr End other(End end) noexcept {
    return end == End::caller ? End::callee : End::caller;
}

/// The media of calls: which streams need a relay, which legs they have, what each end is shown (RFC 3264 through a
/// middlebox). A session is one branch of one INVITE and the dialog that comes of it. Sans-I/O.
///
/// An offer that needs new legs waits for them: offer() then calls back from on_leg_opened(). What a re-offer would
/// change takes effect with its answer; reject() drops it. Which body is an offer and which an answer is the caller's
/// to know: it follows from the messages that carry them.
class Media {
  public:
    /// The body to send on, or an error: nothing was changed. Called exactly once, maybe before offer() returns.
    using OnBody = std::function<void(Result<std::string> body, Instant now, Output& out)>;

    struct Summary {  ///< for `calls`
        std::string call_id;
        EndInfo caller;
        EndInfo callee;
        bool established = false;
        std::size_t relayed_streams = 0;
        std::vector<nat::Reason> reasons;
    };

    explicit Media(const Settings& settings) : settings_(settings) {}

    [[nodiscard]] SessionId create(std::string call_id, EndInfo caller, EndInfo callee, Instant now);
    /// The session of a dialog, whichever end speaks; `to_tag` may be unknown to us yet.
    [[nodiscard]] std::optional<SessionId> find(std::string_view call_id, std::string_view from_tag,
                                                std::string_view to_tag) const;
    /// Which end of the session owns that tag (the From tag of a request).
    [[nodiscard]] End end_of(SessionId session, std::string_view from_tag) const;
    void set_callee_tag(SessionId session, std::string tag);
    void set_established(SessionId session, Output& out);
    [[nodiscard]] bool contains(SessionId session) const { return sessions_.contains(session); }
    [[nodiscard]] bool established(SessionId session) const;

    /// An offer on its way from one end to the other.
    void offer(SessionId session, End from, std::string body, Instant now, Output& out, OnBody on_body);
    /// The answer to the other end's open offer: both parties' endpoints take effect, legs are joined. Without an open
    /// offer (an answer repeated) it only gets the same rewriting again.
    [[nodiscard]] Result<std::string> answer(SessionId session, End from, const std::string& body, Output& out);
    /// The end whose offer has no final answer yet.
    [[nodiscard]] std::optional<End> offerer(SessionId session) const { return sessions_.at(session).offerer; }
    /// The open exchange is over: its request has succeeded.
    void close_exchange(SessionId session);
    /// The offer of `from` was refused: what it would have changed is dropped, legs opened for it are freed.
    void reject(SessionId session, End from, Output& out);
    /// Frees everything. `why` for the event.
    void end(SessionId session, std::string_view why, Output& out);

    void on_leg_opened(std::uint64_t ticket, Result<Leg> leg, Instant now, Output& out);
    /// mediarelay has freed these legs by itself (silence).
    void on_legs_lost(const std::vector<std::string>& legs, Output& out);

    /// Takes up an established call from before a restart, unless it is known; says which legs are its own.
    [[nodiscard]] std::vector<std::string> restore(const SessionState& state, Instant now);

    void on_time(Instant now, Output& out);
    [[nodiscard]] std::optional<Instant> next_deadline() const { return deadlines_.next(); }
    [[nodiscard]] std::vector<Summary> summaries() const;
    [[nodiscard]] std::size_t size() const noexcept { return sessions_.size(); }
    /// Collect RewriteEvents too (they cost two copies of each SDP).
    void set_verbose(bool on) noexcept { verbose_ = on; }

  private:
    struct Stream {
        std::array<std::optional<Leg>, 2> legs;            ///< by End: shown to that end
        std::array<std::optional<MediaParty>, 2> parties;  ///< what each end's accepted SDP said
        std::array<std::optional<MediaParty>, 2> pending;  ///< said in an offer that has no answer yet
        bool offered_hold = false;                         ///< the open or last offer puts the stream on hold
        bool relayed = false;
        bool joined = false;
    };
    struct Session {
        std::string call_id;
        std::array<EndInfo, 2> ends;
        std::vector<Stream> streams;
        std::optional<End> offerer;        ///< an offer is open
        std::vector<std::string> opened;   ///< legs that exist only for the open offer
        std::vector<nat::Reason> reasons;  ///< of the last decision
        Instant created{};
        bool established = false;
        bool announced = false;
    };
    struct Waiting {  ///< an offer whose legs are being opened
        SessionId session = 0;
        End from{};
        std::string body;
        std::size_t missing = 0;
        std::optional<Error> failed;
        OnBody on_body;
    };
    struct Ticket {
        std::uint64_t waiting = 0;
        std::size_t stream = 0;
        End end{};
    };

    [[nodiscard]] MediaParty party_of(const Session& session, End end, const sdp::Document& sdp,
                                      const sdp::Media& media) const;
    [[nodiscard]] MediaParty expected_party(const Session& session, End end, const Stream& stream) const;
    [[nodiscard]] nat::Decision decide(const MediaParty& a, const MediaParty& b, Family b_family) const;
    void judge(Session& session, End from, const sdp::Document& sdp, Output& out);
    void commit(Session& session, End from, const sdp::Document& sdp, Output& out) const;
    void open_legs(Session& session, End from, const sdp::Document& sdp, Waiting waiting, Instant now, Output& out);
    [[nodiscard]] Result<std::string> rewritten(const Session& session, End from, const sdp::Document& sdp,
                                                Output& out) const;
    void keep(const Session& session, Output& out) const;
    void free_legs(Stream& stream, std::vector<std::string>& freed) const;

    const Settings& settings_;
    SessionId next_session_ = 1;
    std::uint64_t next_ticket_ = 1;
    std::unordered_map<SessionId, Session> sessions_;
    std::multimap<std::string, SessionId, std::less<>> by_call_id_;
    std::unordered_map<std::uint64_t, Waiting> waiting_;
    std::unordered_map<std::uint64_t, Ticket> tickets_;
    Deadlines<SessionId> deadlines_;
    bool verbose_ = false;
};

}  // namespace natkit::edge
