#include "natkit/engine/edge/media.hpp"

#include <algorithm>

#include "natkit/sdp/rewrite.hpp"

namespace natkit::edge {
namespace {

constexpr std::size_t index(End end) noexcept {
    return static_cast<std::size_t>(end);
}

Family family_of(const MediaParty& party) {
    return party.endpoint ? party.endpoint->address.family() : party.visible.family();
}

bool holds(const sdp::Document& sdp, const sdp::Media& media) {
    return sdp.on_hold(media) || media.direction != sdp::Direction::sendrecv;
}

}  // namespace

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

std::optional<SessionId> Media::find(std::string_view call_id, std::string_view from_tag,
                                     std::string_view to_tag) const {
    const auto [first, last] = by_call_id_.equal_range(call_id);
    for (auto at = first; at != last; ++at) {
        const auto& ends = sessions_.at(at->second).ends;
        if (ends[0].tag == from_tag && (ends[1].tag == to_tag || to_tag.empty())) return at->second;
        if (ends[1].tag == from_tag && ends[0].tag == to_tag) return at->second;
    }
    return std::nullopt;
}

End Media::end_of(SessionId session, std::string_view from_tag) const {
    return sessions_.at(session).ends[0].tag == from_tag ? End::caller : End::callee;
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

MediaParty Media::party_of(const Session& session, End end, const sdp::Document& sdp, const sdp::Media& media) const {
    const EndInfo& info = session.ends[index(end)];
    MediaParty party{.place = info.party.place,
                     .endpoint = sdp.rtp_endpoint(media),
                     .rtcp = sdp.rtcp_endpoint(media),
                     .visible = info.flow.remote.address,
                     .site = info.party.site};
    // Hold as RFC 2543 had it, c=0.0.0.0: nobody can send there, and the stream's real endpoint is still the old one.
    if (sdp.zero_address_hold(media)) party.endpoint = party.rtcp = std::nullopt;
    if (party.endpoint) party.place = nat::media_place(info.party, party.endpoint->address, settings_.networks);
    return party;
}

/// What is known of an end that has not spoken in this exchange: its last accepted SDP, or its signalling alone.
MediaParty Media::expected_party(const Session& session, End end, const Stream& stream) const {
    if (const auto& known = stream.parties[index(end)]) return *known;
    const EndInfo& info = session.ends[index(end)];
    return {.place = info.party.place,
            .endpoint = {},
            .rtcp = {},
            .visible = info.flow.remote.address,
            .site = info.party.site};
}

nat::Decision Media::decide(const MediaParty& a, const MediaParty& b, Family b_family) const {
    const bool asked = settings_.relay_for.contains(a.visible) || settings_.relay_for.contains(b.visible);
    return nat::decide({.place = a.place, .visible = a.visible, .family = family_of(a)},
                       {.place = b.place, .visible = b.visible, .family = b_family},
                       {.same_nat = settings_.same_nat, .asked_for = asked}, settings_.networks);
}

void Media::offer(SessionId id, End from, std::string body, Instant now, Output& out, OnBody on_body) {
    Session& session = sessions_.at(id);
    const auto sdp = sdp::Document::parse(body);
    if (!sdp) return on_body(std::unexpected(sdp.error()), now, out);
    session.offerer = from;
    judge(session, from, *sdp, out);
    Waiting waiting;
    waiting.session = id;
    waiting.from = from;
    waiting.body = std::move(body);
    waiting.on_body = std::move(on_body);
    open_legs(session, from, *sdp, std::move(waiting), now, out);
}

Result<std::string> Media::answer(SessionId id, End from, const std::string& body, Output& out) {
    Session& session = sessions_.at(id);
    const auto sdp = sdp::Document::parse(body);
    if (!sdp) return std::unexpected(sdp.error());
    if (session.offerer == other(from)) commit(session, from, *sdp, out);
    return rewritten(session, from, *sdp, out);
}

void Media::close_exchange(SessionId id) {
    Session& session = sessions_.at(id);
    session.offerer.reset();
    session.opened.clear();
}

/// Decides for each stream of an offer whether it needs a relay.
void Media::judge(Session& session, End from, const sdp::Document& sdp, Output& out) {
    if (session.streams.size() < sdp.media().size()) session.streams.resize(sdp.media().size());
    nat::Decision told;
    for (std::size_t i = 0; i < sdp.media().size(); ++i) {
        const sdp::Media& media = sdp.media()[i];
        Stream& stream = session.streams[i];
        stream.pending[index(from)].reset();
        if (media.rejected() || media.tcp()) continue;
        const MediaParty speaker = party_of(session, from, sdp, media);
        const MediaParty listener = expected_party(session, other(from), stream);
        const nat::Decision decision = decide(speaker, listener, family_of(listener));
        stream.relayed = decision.relay || stream.relayed;  // once an end was shown a leg, it stays with it
        stream.pending[index(from)] = speaker;
        stream.offered_hold = holds(sdp, media);
        if (told.reasons.empty() || decision.relay) told = decision;
    }
    session.reasons = told.reasons;
    if (session.announced || told.reasons.empty()) return;
    session.announced = true;
    out.events.emplace_back(DecisionEvent{.call_id = session.call_id,
                                          .caller_flow = session.ends[0].flow,
                                          .caller = session.ends[0].party,
                                          .callee_flow = session.ends[1].flow,
                                          .callee = session.ends[1].party,
                                          .decision = told});
}

void Media::open_legs(Session& session, End from, const sdp::Document& sdp, Waiting waiting, Instant now, Output& out) {
    const std::uint64_t number = next_ticket_++;
    for (std::size_t i = 0; i < sdp.media().size(); ++i) {
        Stream& stream = session.streams[i];
        if (!stream.relayed || sdp.media()[i].rejected() || sdp.media()[i].tcp()) continue;
        for (const End end : {End::caller, End::callee}) {
            if (stream.legs[index(end)]) continue;
            const MediaParty party =
                end == from ? stream.pending[index(end)].value_or(MediaParty{}) : expected_party(session, end, stream);
            const std::uint64_t ticket = next_ticket_++;
            tickets_[ticket] = {.waiting = number, .stream = i, .end = end};
            ++waiting.missing;
            out.media.emplace_back(OpenLeg{.ticket = ticket,
                                           .rtp = sdp.media()[i].rtp(),
                                           .mux = sdp.media()[i].rtcp_mux,
                                           .side = party.place == nat::Place::lan ? Side::lan : Side::wan,
                                           .family = family_of(party),
                                           .party = party,
                                           .call_id = session.call_id});
        }
    }
    if (waiting.missing > 0) {
        waiting_.emplace(number, std::move(waiting));
        return;
    }
    waiting.on_body(rewritten(session, from, sdp, out), now, out);
}

void Media::on_leg_opened(std::uint64_t ticket_number, Result<Leg> leg, Instant now, Output& out) {
    const auto ticket_at = tickets_.find(ticket_number);
    if (ticket_at == tickets_.end()) return;
    const Ticket ticket = ticket_at->second;
    tickets_.erase(ticket_at);
    const auto waiting_at = waiting_.find(ticket.waiting);
    Waiting& waiting = waiting_at->second;
    const auto session_at = sessions_.find(waiting.session);
    auto* slot =
        session_at == sessions_.end() ? nullptr : &session_at->second.streams[ticket.stream].legs[index(ticket.end)];
    if (!leg) {
        waiting.failed = leg.error();
    } else if (slot == nullptr || slot->has_value()) {
        // The call ended meanwhile, or a repeated offer asked for the leg twice.
        out.media.emplace_back(FreeLegs{.legs = {leg->id}});
    } else {
        session_at->second.opened.push_back(leg->id);
        *slot = *leg;
    }
    if (--waiting.missing > 0) return;
    Waiting done = std::move(waiting);
    waiting_.erase(waiting_at);
    if (session_at == sessions_.end()) return done.on_body(fail(Errc::not_found, "the call has ended"), now, out);
    if (done.failed) {
        reject(done.session, done.from, out);
        return done.on_body(std::unexpected(*done.failed), now, out);
    }
    const auto sdp = sdp::Document::parse(done.body);  // it was parsed before: it parses
    done.on_body(rewritten(session_at->second, done.from, *sdp, out), now, out);
}

/// The answer makes the exchange count: what both ends said becomes what the legs face, and the legs are joined.
void Media::commit(Session& session, End from, const sdp::Document& sdp, Output& out) const {
    const End offerer = other(from);
    std::vector<std::string> freed;
    for (std::size_t i = 0; i < session.streams.size(); ++i) {
        Stream& stream = session.streams[i];
        const sdp::Media* media = i < sdp.media().size() ? &sdp.media()[i] : nullptr;
        if (media == nullptr || media->rejected()) {
            free_legs(stream, freed);
            continue;
        }
        if (media->tcp()) continue;
        const MediaParty said = party_of(session, from, sdp, *media);
        const bool hold = stream.offered_hold || holds(sdp, *media);
        const auto learn = [&stream](End end, const MediaParty& party) {
            auto& known = stream.parties[index(end)];
            if (party.endpoint || !known) known = party;
        };
        if (const auto& pending = stream.pending[index(offerer)]) learn(offerer, *pending);
        learn(from, said);
        if (!stream.relayed || !stream.legs[0] || !stream.legs[1]) continue;
        for (const End end : {End::caller, End::callee}) {
            const auto& party = stream.parties[index(end)];
            if (party) out.media.emplace_back(UpdateLeg{stream.legs[index(end)]->id, *party, hold});
        }
        if (!stream.joined) out.media.emplace_back(JoinLegs{stream.legs[0]->id, stream.legs[1]->id});
        stream.joined = true;
    }
    if (!freed.empty()) out.media.emplace_back(FreeLegs{.legs = std::move(freed)});
    if (session.established) keep(session, out);
}

/// Leaves with one of its legs what a restarted edge needs to know of the call.
void Media::keep(const Session& session, Output& out) const {
    SessionState state{.call_id = session.call_id, .ends = session.ends, .streams = {}, .reasons = session.reasons};
    const std::string* keeper = nullptr;
    for (const Stream& stream : session.streams) {
        state.streams.push_back({.legs = stream.legs, .joined = stream.joined});
        for (const auto& leg : stream.legs) {
            if (leg && keeper == nullptr) keeper = &leg->id;
        }
    }
    if (keeper != nullptr) out.media.emplace_back(KeepState{.leg = *keeper, .state = std::move(state)});
}

std::vector<std::string> Media::restore(const SessionState& state, Instant now) {
    std::vector<std::string> legs;
    if (find(state.call_id, state.ends[0].tag, state.ends[1].tag)) return legs;
    Session& session = sessions_.at(create(state.call_id, state.ends[0], state.ends[1], now));
    session.established = session.announced = true;
    session.reasons = state.reasons;
    for (const SessionState::Stream& known : state.streams) {
        Stream& stream = session.streams.emplace_back();
        stream.legs = known.legs;
        stream.joined = known.joined;
        stream.relayed = known.legs[0].has_value();
        for (const auto& leg : known.legs) {
            if (leg) legs.push_back(leg->id);
        }
    }
    return legs;
}

Result<std::string> Media::rewritten(const Session& session, End from, const sdp::Document& sdp, Output& out) const {
    std::vector<std::optional<sdp::MediaTarget>> targets(sdp.media().size());
    sdp::Options options{
        .ice = sdp::IcePolicy::drop, .origin_address = {}, .session_version = {}, .hide_rejected = true};
    std::optional<sdp::MediaTarget> any;
    for (std::size_t i = 0; i < targets.size() && i < session.streams.size(); ++i) {
        const auto& leg = session.streams[i].legs[index(other(from))];
        if (!session.streams[i].relayed || !leg) continue;
        targets[i] = sdp::MediaTarget{.rtp = leg->local, .rtcp = leg->rtcp, .setup = {}};
        if (!any) any = targets[i];
    }
    std::string after(sdp.text());
    if (any) {
        options.origin_address = any->rtp.address;
        // A rejected stream shows an address too: it must not be a private one.
        for (std::size_t i = 0; i < targets.size(); ++i) {
            if (!targets[i] && sdp.media()[i].rejected()) targets[i] = any;
        }
        auto rewrite = sdp::rewrite(sdp, targets, options);
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

void Media::free_legs(Stream& stream, std::vector<std::string>& freed) const {
    for (auto& leg : stream.legs) {
        if (leg) freed.push_back(leg->id);
        leg.reset();
    }
    stream = {};
}

void Media::reject(SessionId id, End from, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || found->second.offerer != from) return;
    Session& session = found->second;
    session.offerer.reset();
    for (Stream& stream : session.streams) {
        stream.pending = {};
        for (auto& leg : stream.legs) {
            if (leg && std::ranges::find(session.opened, leg->id) != session.opened.end()) leg.reset();
        }
        if (!stream.joined) stream.relayed = false;
    }
    if (!session.opened.empty()) out.media.emplace_back(FreeLegs{.legs = std::move(session.opened)});
    session.opened.clear();
}

void Media::end(SessionId id, std::string_view why, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    std::vector<std::string> freed;
    for (Stream& stream : found->second.streams) free_legs(stream, freed);
    if (!freed.empty()) out.media.emplace_back(FreeLegs{.legs = std::move(freed)});
    out.events.emplace_back(
        CallEvent{.kind = CallEvent::Kind::ended, .call_id = found->second.call_id, .why = std::string(why)});
    const auto [first, last] = by_call_id_.equal_range(found->second.call_id);
    by_call_id_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == id; }));
    sessions_.erase(found);
}

void Media::on_legs_lost(const std::vector<std::string>& legs, Output& out) {
    for (auto& [id, session] : sessions_) {
        for (Stream& stream : session.streams) {
            const bool lost = std::ranges::any_of(
                stream.legs, [&](const auto& leg) { return leg && std::ranges::find(legs, leg->id) != legs.end(); });
            if (!lost) continue;
            out.log(LogLevel::problems, "call " + session.call_id + ": its media relay is gone (silent for too long)");
            std::vector<std::string> freed;
            free_legs(stream, freed);
            out.media.emplace_back(FreeLegs{.legs = std::move(freed)});
        }
    }
}

void Media::on_time(Instant now, Output& out) {
    while (const auto id = deadlines_.pop_due(now)) end(*id, "max_dialog", out);
}

std::vector<Media::Summary> Media::summaries() const {
    std::vector<Summary> list;
    for (const auto& [id, session] : sessions_) {
        const auto relayed = std::ranges::count_if(session.streams, [](const Stream& s) { return s.joined; });
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
