#include "natkit/engine/edge/media.hpp"

#include <algorithm>

#include "natkit/base/text.hpp"
#include "natkit/sdp/rewrite.hpp"

namespace natkit::edge {
namespace {

constexpr std::size_t index(End end) noexcept {
    return static_cast<std::size_t>(end);
}

bool holds(const sdp::Document& sdp, const sdp::Media& media) {
    return sdp.on_hold(media) || media.direction != sdp::Direction::sendrecv;
}

}  // namespace

Media::Media(const Settings& settings)
    : settings_(settings), scheme_([this](const nat::Party& a, const nat::Party& b) { return relay_needed(a, b); }) {}

SessionId Media::create(std::string call_id, EndInfo caller, EndInfo callee, Instant now) {
    const SessionId id = next_session_++;
    by_call_id_.emplace(call_id, id);
    Session& session = sessions_[id];
    session.call_id = std::move(call_id);
    session.ends = {std::move(caller), std::move(callee)};
    session.created = now;
    deadlines_.add(now + settings_.max_dialog, id);
    return id;
}

std::optional<SessionId> Media::find(std::string_view call_id, std::string_view from_tag, std::string_view to_tag,
                                     const sip::DialogToken* flows) const {
    const auto [first, last] = by_call_id_.equal_range(call_id);
    std::optional<SessionId> found;
    for (auto at = first; at != last; ++at) {
        const auto& ends = sessions_.at(at->second).ends;
        const bool forward = ends[0].tag == from_tag && (ends[1].tag == to_tag || to_tag.empty());
        const bool backward = ends[1].tag == from_tag && ends[0].tag == to_tag;
        if (!forward && !backward) continue;
        if (flows == nullptr || (ends[0].flow == flows->caller && ends[1].flow == flows->callee)) return at->second;
        if (!found) found = at->second;
    }
    return found;
}

End Media::end_of(SessionId session, std::string_view from_tag) const {
    return sessions_.at(session).ends[0].tag == from_tag ? End::caller : End::callee;
}

void Media::set_callee(SessionId id, const sip::Flow& flow, const nat::Verdict& party) {
    Session& session = sessions_.at(id);
    EndInfo& callee = session.ends[index(End::callee)];
    callee.flow = flow;
    callee.party = party;
    for (const Stream& stream : session.streams) {
        if (stream.pass != 0) scheme_.move(stream.pass, End::callee, neighbour(session, End::callee));
    }
}

void Media::set_callee_tag(SessionId session, std::string tag) {
    sessions_.at(session).ends[1].tag = std::move(tag);
}

bool Media::established(SessionId session) const {
    const auto found = sessions_.find(session);
    return found != sessions_.end() && found->second.established;
}

void Media::set_established(SessionId id, Output& out) {
    Session& session = sessions_.at(id);
    if (session.established) return;
    session.established = true;
    keep(session, out);
    out.events.emplace_back(CallEvent{.kind = CallEvent::Kind::established, .call_id = session.call_id, .why = {}});
}

// --- who is where
// ------------------------------------------------------------------------------------------------------

nat::Party Media::neighbour(const Session& session, End end) const {
    const EndInfo& info = session.ends[index(end)];
    const IpAddress& visible = info.flow.remote.address;
    return {.place = info.party.place, .visible = visible, .family = visible.family()};
}

nat::Party Media::speaker(const Session& session, End end, const std::optional<Endpoint>& said) const {
    nat::Party party = neighbour(session, end);
    if (!said) return party;
    party.place = nat::media_place(session.ends[index(end)].party, said->address, settings_.networks);
    party.family = said->address.family();
    return party;
}

bool Media::relay_needed(const nat::Party& a, const nat::Party& b) const {
    const bool asked = settings_.relay_for.contains(a.visible) || settings_.relay_for.contains(b.visible);
    return nat::decide(a, b, {.same_nat = settings_.same_nat, .asked_for = asked}, settings_.networks).relay;
}

/// A leg of ours is taken for the party behind it, or refused: who guesses a port must not hear a stranger's call.
Result<loop::Incoming> Media::incoming(const Session& session, SessionId id, End from, const Said& said) const {
    if (!said.rtp) return loop::Incoming{};
    const auto ours = by_local_.find(*said.rtp);
    if (ours == by_local_.end()) {
        return loop::Incoming{
            .leg = 0, .endpoint = said.rtp, .rtcp = said.rtcp, .where = speaker(session, from, said.rtp)};
    }
    if (const LiveLeg* leg = live(ours->second); leg == nullptr || !may_resolve(*leg, session, id, from)) {
        return fail(Errc::refused, to_string(*said.rtp) + " is a media port of this edge that " +
                                       to_string(session.ends[index(from)].flow.remote) + " was not shown");
    }
    return loop::Incoming{.leg = ours->second, .endpoint = {}, .rtcp = {}, .where = {}};
}

// --- offers and answers
// ------------------------------------------------------------------------------------------------

void Media::offer(SessionId id, End from, std::string body, Instant now, Output& out, OnBody on_body) {
    const auto sdp = sdp::Document::parse(body);
    if (!sdp) return on_body(std::unexpected(sdp.error()), now, out);
    Session& session = sessions_.at(id);
    session.offerer = from;
    auto shown = take_offer(id, from, *sdp, out);
    if (!shown) {
        reject(id, from, now, out);
        return on_body(std::unexpected(shown.error()), now, out);
    }
    const std::uint64_t number = next_ticket_++;
    Waiting waiting{.session = id, .from = from, .body = {}, .shown = std::move(*shown), .on_body = std::move(on_body)};
    waiting.missing = open_legs(id, *sdp, number, out);
    if (waiting.missing > 0) {
        waiting.body = std::move(body);
        waiting_.emplace(number, std::move(waiting));
        return;
    }
    waiting.on_body(rewritten(session, from, *sdp, waiting.shown, out), now, out);
}

/// Each stream of the offer goes through the scheme; what is decided is told once a call.
Result<Media::Shown> Media::take_offer(SessionId id, End from, const sdp::Document& sdp, Output& out) {
    Session& session = sessions_.at(id);
    if (session.streams.size() < sdp.media().size()) session.streams.resize(sdp.media().size());
    Shown shown(sdp.media().size());
    nat::Decision told;
    for (std::size_t i = 0; i < sdp.media().size(); ++i) {
        const sdp::Media& media = sdp.media()[i];
        Stream& stream = session.streams[i];
        if (media.rejected() || media.tcp()) continue;
        // Hold as RFC 2543 had it, c=0.0.0.0: nobody can send there, and the real endpoint is still the old one.
        stream.offered = sdp.zero_address_hold(media)
                             ? Said{}
                             : Said{.rtp = sdp.rtp_endpoint(media), .rtcp = sdp.rtcp_endpoint(media)};
        const auto said = incoming(session, id, from, stream.offered);
        if (!said) return std::unexpected(said.error());
        stream.offered_hold = holds(sdp, media);
        open_stream(session, stream, media.rtp() ? relay::Stream::rtp : relay::Stream::udp);
        shown[i] = scheme_.offer(stream.pass, from, *said);
        (void)scheme_.prepare(stream.pass);
        note_shown(shown[i]->leg, session, other(from));
        const nat::Decision decision = decide(session, stream, from, *said);
        if (told.reasons.empty() || decision.relay) told = decision;
    }
    session.reasons = told.reasons;
    announce(session, told, out);
    return shown;
}

/// The pass of a stream. Another kind of stream on the same line (audio becomes a fax) takes other legs, and has the
/// line when it is answered.
void Media::open_stream(const Session& session, Stream& stream, relay::Stream kind) {
    if (stream.pass != 0 && stream.kind == kind) return;
    if (stream.pass != 0 && stream.fresh) {
        scheme_.close(stream.pass);
    } else {
        stream.replaced = stream.pass;
        stream.replaced_kind = stream.kind;
    }
    stream.pass = scheme_.open(neighbour(session, End::caller), neighbour(session, End::callee));
    stream.kind = kind;
    stream.fresh = true;
}

/// Why the stream gets a relay, or none: the origin of the offer and who it goes to.
nat::Decision Media::decide(const Session& session, const Stream& stream, End from, const loop::Incoming& said) const {
    nat::Party origin = said.endpoint ? said.where : neighbour(session, from);
    if (const loop::Leg* leg = scheme_.leg(said.leg)) {
        if (const loop::Party* party = scheme_.party(leg->stands_for)) origin = party->where;
    }
    nat::Party listener = neighbour(session, other(from));
    if (const loop::Party* known = scheme_.party(scheme_.speaks_at(stream.pass, other(from)))) listener = known->where;
    const bool asked = settings_.relay_for.contains(origin.visible) || settings_.relay_for.contains(listener.visible);
    return nat::decide(origin, listener, {.same_nat = settings_.same_nat, .asked_for = asked}, settings_.networks);
}

void Media::announce(Session& session, const nat::Decision& told, Output& out) const {
    if (session.announced || told.reasons.empty()) return;
    session.announced = true;
    out.events.emplace_back(DecisionEvent{.call_id = session.call_id,
                                          .caller_flow = session.ends[0].flow,
                                          .caller = session.ends[0].party,
                                          .callee_flow = session.ends[1].flow,
                                          .callee = session.ends[1].party,
                                          .decision = told});
}

Result<std::string> Media::answer(SessionId id, End from, const std::string& body, Instant now, Output& out) {
    const auto sdp = sdp::Document::parse(body);
    if (!sdp) return std::unexpected(sdp.error());
    auto shown = take_answer(id, from, *sdp);
    if (!shown) return std::unexpected(shown.error());
    bring_about(now, out);
    const Session& session = sessions_.at(id);
    if (session.established) keep(session, out);
    return rewritten(session, from, *sdp, *shown, out);
}

/// The answer makes the exchange count: what both ends said becomes what the legs face, and the legs are joined.
Result<Media::Shown> Media::take_answer(SessionId id, End from, const sdp::Document& sdp) {
    Session& session = sessions_.at(id);
    const bool counts = session.offerer == other(from);  // else it is an answer repeated
    Shown shown(sdp.media().size());
    for (std::size_t i = 0; i < session.streams.size(); ++i) {
        Stream& stream = session.streams[i];
        const sdp::Media* media = i < sdp.media().size() ? &sdp.media()[i] : nullptr;
        if (media == nullptr || media->rejected()) {
            if (counts) close_stream(stream);
            continue;
        }
        if (media->tcp() || stream.pass == 0) continue;
        const Said answered = sdp.zero_address_hold(*media)
                                  ? Said{}
                                  : Said{.rtp = sdp.rtp_endpoint(*media), .rtcp = sdp.rtcp_endpoint(*media)};
        loop::Incoming said;
        if (counts) {
            auto read = incoming(session, id, from, answered);
            if (!read) return std::unexpected(read.error());
            said = *read;
            stream.hold = stream.offered_hold || holds(sdp, *media);
            stream.fresh = false;
            if (stream.replaced != 0) scheme_.close(std::exchange(stream.replaced, 0));
            if (answered.rtp) stream.said[index(from)] = answered;
            if (stream.offered.rtp) stream.said[index(other(from))] = stream.offered;
        }
        shown[i] = scheme_.answer(stream.pass, said);
        note_shown(shown[i]->leg, session, other(from));
    }
    return shown;
}

void Media::close_exchange(SessionId id, Instant now, Output& out) {
    Session& session = sessions_.at(id);
    session.offerer.reset();
    for (const Stream& stream : session.streams) {
        if (stream.pass != 0) scheme_.accept(stream.pass);
    }
    bring_about(now, out);
}

void Media::reject(SessionId id, End from, Instant now, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || found->second.offerer != from) return;
    found->second.offerer.reset();
    for (Stream& stream : found->second.streams) {
        if (stream.pass == 0) continue;
        if (stream.replaced != 0) {
            scheme_.close(std::exchange(stream.pass, std::exchange(stream.replaced, 0)));
            stream.kind = stream.replaced_kind;
            stream.fresh = false;
        } else if (stream.fresh) {
            close_stream(stream);
        } else {
            scheme_.fail(stream.pass);
        }
    }
    bring_about(now, out);
}

void Media::close_stream(Stream& stream) {
    for (const loop::PassId pass : {stream.pass, stream.replaced}) {
        if (pass != 0) scheme_.close(pass);
    }
    stream = {};
}

void Media::end(SessionId id, std::string_view why, Instant now, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    for (Stream& stream : found->second.streams) close_stream(stream);
    bring_about(now, out);
    out.events.emplace_back(
        CallEvent{.kind = CallEvent::Kind::ended, .call_id = found->second.call_id, .why = std::string(why)});
    const auto [first, last] = by_call_id_.equal_range(found->second.call_id);
    by_call_id_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == id; }));
    sessions_.erase(found);
}

Result<std::string> Media::rewritten(const Session& session, End from, const sdp::Document& sdp, const Shown& shown,
                                     Output& out) const {
    std::vector<std::optional<sdp::MediaTarget>> targets(sdp.media().size());
    std::optional<sdp::MediaTarget> any;
    for (std::size_t i = 0; i < targets.size() && i < shown.size(); ++i) {
        if (!shown[i]) continue;
        if (shown[i]->leg != 0) {
            const LiveLeg* leg = live(shown[i]->leg);
            if (leg == nullptr || !leg->opened) return fail(Errc::usage, "a leg that is to be shown is not open");
            targets[i] = sdp::MediaTarget{.rtp = leg->opened->local, .rtcp = leg->opened->rtcp, .setup = {}};
        } else if (shown[i]->raw && shown[i]->raw != sdp.rtp_endpoint(sdp.media()[i])) {
            targets[i] = sdp::MediaTarget{.rtp = *shown[i]->raw, .rtcp = shown[i]->rtcp, .setup = {}};
        }
        if (!any) any = targets[i];
    }
    std::string after(sdp.text());
    if (any) {
        // A rejected stream shows an address too: it must not be a private one.
        for (std::size_t i = 0; i < targets.size(); ++i) {
            if (!targets[i] && sdp.media()[i].rejected()) targets[i] = any;
        }
        auto rewrite = sdp::rewrite(sdp, targets,
                                    {.ice = sdp::IcePolicy::drop,
                                     .origin_address = any->rtp.address,
                                     .session_version = {},
                                     .hide_rejected = true});
        if (!rewrite) return std::unexpected(rewrite.error());
        after = std::move(rewrite->text);
    }
    if (verbose_) {
        out.events.emplace_back(RewriteEvent{.call_id = session.call_id,
                                             .from_caller = from == End::caller,
                                             .before = std::string(sdp.text()),
                                             .after = after});
    }
    return after;
}

void Media::on_time(Instant now, Output& out) {
    while (const auto id = deadlines_.pop_due(now)) end(*id, "max_dialog", now, out);
    part_superfluous(now, out);
}

std::optional<Instant> Media::next_deadline() const {
    std::optional<Instant> next = deadlines_.next();
    if (const auto part = superfluous_.next(); part && (!next || *part < *next)) next = part;
    return next;
}

std::vector<Media::Summary> Media::summaries() const {
    std::vector<Summary> list;
    for (const auto& [id, session] : sessions_) {
        const auto relayed = std::ranges::count_if(session.streams, [&](const Stream& stream) {
            return stream.pass != 0 && (scheme_.mate(scheme_.leg_towards(stream.pass, End::caller)) != 0 ||
                                        scheme_.mate(scheme_.leg_towards(stream.pass, End::callee)) != 0);
        });
        list.push_back({.call_id = session.call_id,
                        .caller = session.ends[0],
                        .callee = session.ends[1],
                        .established = session.established,
                        .relayed_streams = static_cast<std::size_t>(relayed),
                        .reasons = session.reasons});
    }
    return list;
}

}  // namespace natkit::edge
