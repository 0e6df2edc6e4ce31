#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "natkit/base/log_level.hpp"
#include "natkit/engine/edge/settings.hpp"
#include "natkit/nat/decide.hpp"
#include "natkit/proxy/media_shares.hpp"
#include "natkit/relay/party.hpp"
#include "natkit/relay/stream.hpp"
#include "natkit/sdp/direction.hpp"
#include "natkit/sip/locate.hpp"
#include "natkit/sip/registrar.hpp"
#include "natkit/sip/transaction.hpp"

namespace natkit::edge {

/// A leg of the media relay that the edge owns.
struct RelayLeg {
    std::string id;
    Endpoint local;                ///< as advertised
    std::optional<Endpoint> rtcp;  ///< as advertised

    friend bool operator==(const RelayLeg&, const RelayLeg&) = default;
};

/// What the edge asks of mediarelay. Only `OpenLeg` waits for its reply: Edge::on_leg_opened() with the ticket.
struct OpenLeg {
    std::uint64_t ticket = 0;
    relay::Stream stream{};
    bool mux = false;
    Side side{};
    Family family{};
    relay::Party party;
    std::string call_id;
};
struct UpdateLeg {
    std::string leg;
    relay::Party party;
    bool hold = false;
    std::optional<bool> mux;  ///< where it changes
    bool renew = false;       ///< TCP: the next connection takes the place of one that is open
    bool can_wait = false;    ///< it may go with the next request
};
struct JoinLegs {
    std::string a;
    std::string b;
};
/// A leg that nobody needs now: its sockets close, its ports stay set aside. Joining opens it again.
struct PartLeg {
    std::string leg;
};
/// A parted leg is shown to somebody again.
struct ReopenLeg {
    std::string leg;
};
struct FreeLegs {
    std::vector<std::string> legs;
};
/// One end of a call: its flow, where it is, its tag.
struct EndInfo {
    sip::Flow flow;
    nat::Verdict verdict;
    std::string tag;
    std::string uri{};       ///< in From or To of the INVITE, printable and at most 256 bytes; empty: not known
    std::string binding{};   ///< the id of its registration, where it has one: its flow follows that
    bool asked_for = false;  ///< [media_proxy] relay_for names its domain
    /// Where requests to it go (RFC 3261 section 12.2.1.1): its Contact, and a Route field; empty: not known, or none.
    std::string contact{};
    std::string routes{};
    /// Where it is itself, where another edge stands between: `flow` leads to that edge.
    std::optional<Endpoint> origin{};

    [[nodiscard]] const Endpoint& source() const noexcept { return origin ? *origin : flow.remote; }
    /// Its flow as it is told of: to the party itself.
    [[nodiscard]] sip::Flow party() const {
        return {.transport = flow.transport, .local = flow.local, .remote = source(), .connection = flow.connection};
    }
};
/// The number in the o= line of what one end is sent (RFC 3264 section 8): raised whenever anything else differs.
struct Numbered {
    std::optional<std::uint64_t> version;
    std::uint64_t print = 0;  ///< of the description without its number

    friend bool operator==(const Numbered&, const Numbered&) = default;
};
/// What the edge must know of an established call after its own restart: kept by mediarelay with one of its legs.
struct SessionState {
    /// One stream at one end.
    struct Side {
        std::optional<RelayLeg> leg;   ///< shown to this neighbour
        std::optional<Endpoint> said;  ///< what its session description names, a leg of ours perhaps
        std::optional<Endpoint> rtcp;
        std::optional<sdp::Setup> setup = std::nullopt;       ///< of a TCP stream: what this end does
        sdp::Direction direction = sdp::Direction::sendrecv;  ///< of this end, as both have agreed on it
        relay::Ssrcs ssrcs = {};                              ///< that it announces
    };
    struct Stream {
        std::array<Side, 2> sides;  ///< of the caller, of the callee
        relay::Stream kind{};
        bool mux = false;
        bool hold = false;
        std::string codec = {};
    };
    std::string call_id;
    std::optional<Instant> began = std::nullopt;  ///< when its INVITE came, by the clock of this host's run
    std::optional<Instant> answered = std::nullopt;
    proxy::Payer payer;  ///< whom its legs are counted for
    std::array<EndInfo, 2> ends;
    sip::DialogToken token;        ///< as the ends' flows were at first
    std::array<Numbered, 2> told;  ///< what the caller and the callee were sent
    std::vector<Stream> streams;
    std::vector<nat::Reason> reasons;
};
struct KeepState {
    std::string leg;
    std::optional<SessionState> state;  ///< nothing: what was kept with this leg is forgotten
};
using MediaRequest = std::variant<OpenLeg, UpdateLeg, JoinLegs, PartLeg, ReopenLeg, FreeLegs, KeepState>;

/// Told once for each stream-bearing offer: where both parties are and what follows from it.
struct DecisionEvent {
    std::string call_id;
    sip::Flow caller_flow;
    nat::Verdict caller;
    sip::Flow callee_flow;
    nat::Verdict callee;
    nat::Decision decision;
};
/// An SDP that went through.
struct RewriteEvent {
    std::string call_id;
    bool from_caller = true;
    std::string before;
    std::string after;
};
/// An exchange of a session counts now: Media::pass() tells what it is like, if anybody wants to know.
struct PassEvent {
    std::uint64_t session = 0;
};
/// What is known of a call when it is over.
struct EndedCall {
    struct Stream {
        relay::Stream kind{};
        std::string codec;                ///< that both agreed on; empty: not known
        std::array<std::string, 2> legs;  ///< of mediarelay, towards the caller and the callee; empty: not relayed
    };
    std::array<EndInfo, 2> ends;
    Instant began{};
    std::optional<Instant> answered;
    std::vector<nat::Reason> reasons;
    std::vector<Stream> streams;
    /// It stands for its call: it was answered, or nothing else of the call is left. Of a call that forked, the
    /// branches that others outlived do not.
    bool whole = false;
};
struct CallEvent {
    enum class Kind : std::uint8_t { established, ended } kind{};
    std::string call_id;
    std::string why;                      ///< "BYE", "CANCEL", "486 Busy Here", "max_dialog"; for `ended`
    std::optional<EndedCall> ended = {};  ///< likewise
};
struct LogEvent {
    LogLevel level{};
    std::string text;
    bool loop = false;  ///< it is about calls that come through the edge again: under the tag LOOP
};
using Event = std::variant<DecisionEvent, RewriteEvent, PassEvent, CallEvent, LogEvent, sip::BindingChange>;

/// A registered client whose place other lists change.
struct PlaceChange {
    sip::Binding binding;  ///< as it is
    nat::Verdict now;
};

/// A next hop whose places are to be found (RFC 3263): Edge::on_located() with the ticket.
struct Lookup {
    std::uint64_t ticket = 0;
    sip::Uri uri;
    sip::Abilities abilities;
};

/// What an input to the core leads to, in order within each list. The caller owns it and empties it.
struct Output {
    std::vector<sip::Packet> packets;
    std::vector<MediaRequest> media;
    std::vector<Lookup> lookups;
    std::vector<Event> events;

    void log(LogLevel level, std::string text) {
        events.emplace_back(LogEvent{.level = level, .text = std::move(text)});
    }
    void log_loop(LogLevel level, std::string text) {
        events.emplace_back(LogEvent{.level = level, .text = std::move(text), .loop = true});
    }
};

}  // namespace natkit::edge
