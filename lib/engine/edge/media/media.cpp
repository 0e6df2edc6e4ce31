#include "media.hpp"

#include <algorithm>
#include <tuple>

#include "natkit/base/keys_after.hpp"

namespace natkit::edge {
Media::Media(const Settings& settings, const Servers* servers)
    : settings_(settings),
      servers_(servers),
      scheme_([this](const nat::Whereabouts& a, const nat::Whereabouts& b) { return decide_between(a, b).relay; }) {}

End Media::end_of(SessionId session, std::string_view from_tag) const {
    return sessions_.at(session).ends[0].tag == from_tag ? End::caller : End::callee;
}

void Media::set_callee(SessionId id, const sip::Flow& flow, const nat::Verdict& verdict) {
    Session& session = sessions_.at(id);
    EndInfo& callee = session.ends[index(End::callee)];
    callee.flow = flow;
    callee.verdict = verdict;
    session.token.callee = flow;  // what this place is shown names it
    for (const Stream& stream : session.call.streams()) {
        if (stream.legs != 0) scheme_.move(stream.legs, End::callee, neighbour(session, End::callee));
    }
}

void Media::set_callee_tag(SessionId session, std::string tag) {
    sessions_.at(session).ends[1].tag = std::move(tag);
}

bool Media::established(SessionId session) const {
    const auto found = sessions_.find(session);
    return found != sessions_.end() && found->second.established;
}

void Media::set_established(SessionId id, Instant now, Output& out) {
    Session& session = sessions_.at(id);
    if (session.established) return;
    session.established = true;
    session.answered = now;
    keep(session, out);
    out.events.emplace_back(CallEvent{.kind = CallEvent::Kind::established, .call_id = session.call_id, .why = {}});
}

// --- who is where
// ------------------------------------------------------------------------------------------------------

nat::Whereabouts Media::neighbour(const Session& session, End end) const {
    return speaker(session, end, std::nullopt);
}

nat::Whereabouts Media::speaker(const Session& session, End end, const std::optional<Endpoint>& said) const {
    const EndInfo& info = session.ends[index(end)];
    nat::Whereabouts where = nat::whereabouts(info.verdict.place, info.source().address,
                                              said ? std::optional(said->address) : std::nullopt, settings_.networks);
    where.asked_for = info.asked_for;
    return where;
}

nat::Decision Media::decide_between(const nat::Whereabouts& a, const nat::Whereabouts& b) const {
    return nat::decide(a, b, settings_.media_policy, settings_.networks);
}

/// Whether it is one of the media addresses of this host. Loopback is everybody's on a host that tries everything by
/// itself.
bool Media::is_own(const std::optional<Endpoint>& said) const {
    return said && !said->address.is_loopback() &&
           std::ranges::find(settings_.media_addresses, said->address) != settings_.media_addresses.end();
}

/// A leg of ours is taken for the party behind it, or refused: who guesses a port must not hear a stranger's call.
Result<loop::Incoming> Media::incoming(const Session& session, SessionId id, End from, const dialog::Said& said,
                                       bool renew) const {
    loop::Incoming incoming{
        .slot = 0, .endpoint = said.rtp, .rtcp = said.rtcp, .where = {}, .setup = said.setup, .renew = renew};
    if (!said.rtp) return incoming;
    const auto ours = by_local_.find(*said.rtp);
    const auto refused = [&](const Endpoint& named) {
        return fail(Errc::refused, to_string(named) + " is a media port of this edge that " +
                                       to_string(session.ends[index(from)].source()) + " was not shown");
    };
    if (ours == by_local_.end()) {
        if (is_own(said.rtp)) return refused(*said.rtp);
        if (is_own(said.rtcp)) return refused(*said.rtcp);
        incoming.where = speaker(session, from, said.rtp);
        return incoming;
    }
    const LiveLeg* leg = live(ours->second);
    if (leg == nullptr || !may_resolve(*leg, session, id, from)) return refused(*said.rtp);
    const Endpoint& local = leg->opened->local;  // RTCP goes where RTP goes: a leg has both
    const bool of_leg =
        said.rtcp == leg->opened->rtcp || (said.rtcp && said.rtcp->address == local.address &&
                                           (said.rtcp->port == local.port || said.rtcp->port == local.port + 1));
    if (is_own(said.rtcp) && !of_leg) return refused(*said.rtcp);
    incoming.slot = ours->second;
    incoming.endpoint = incoming.rtcp = {};
    return incoming;
}

void Media::note_same_call(Session& session, loop::SlotId named) {
    const LiveLeg* leg = live(named);
    const auto owner = leg == nullptr ? sessions_.end() : sessions_.find(leg->session);
    if (owner == sessions_.end() || owner->second.call_id == session.call_id) return;
    Session& other = owner->second;
    const auto& [first, later] = other.began <= session.began ? std::tie(other, session) : std::tie(session, other);
    const std::string& id = first.first_call_id.empty() ? first.call_id : first.first_call_id;
    if (later.first_call_id.empty() && id != later.call_id) later.first_call_id = id;
}

std::string_view Media::first_call_id(std::string_view call_id) const {
    const auto [first, last] = by_call_id_.equal_range(call_id);
    for (auto at = first; at != last; ++at) {
        const std::string& id = sessions_.at(at->second).first_call_id;
        if (!id.empty()) return id;
    }
    return call_id;
}

void Media::on_time(Instant now, Output& out) {
    end_those_due(now, out);
    part_superfluous(now, out);
}

std::optional<Instant> Media::next_deadline() const {
    std::optional<Instant> next = deadlines_.next();
    if (const auto part = superfluous_.next(); part && (!next || *part < *next)) next = part;
    return next;
}

/// The session's last decision. Before its first offer (a call without one that rings), and of a call whose reasons an
/// edge of an earlier version did not leave: what follows from where its ends are.
nat::Decision Media::decision_of(const Session& session) const {
    if (!session.reasons.empty()) {
        return {.relay = std::ranges::any_of(session.reasons, nat::asks_for_relay), .reasons = session.reasons};
    }
    return decide_between(neighbour(session, End::caller), neighbour(session, End::callee));
}

std::vector<Media::Summary> Media::summaries(SessionId after, std::size_t most) const {
    std::vector<Summary> list;
    for (const SessionId* id : keys_after(sessions_, after, most)) {
        const Session& session = sessions_.at(*id);
        const auto relayed = std::ranges::count_if(session.call.streams(), [&](const Stream& stream) {
            return stream.legs != 0 && (scheme_.mate(scheme_.slot_towards(stream.legs, End::caller)) != 0 ||
                                        scheme_.mate(scheme_.slot_towards(stream.legs, End::callee)) != 0);
        });
        list.push_back({.id = *id,
                        .call_id = session.call_id,
                        .caller = session.ends[0],
                        .callee = session.ends[1],
                        .established = session.established,
                        .began = session.began,
                        .answered = session.answered,
                        .relayed_streams = static_cast<std::size_t>(relayed),
                        .decision = decision_of(session)});
    }
    return list;
}

std::vector<record::Pass> Media::passes(std::string_view call_id) const {
    std::vector<record::Pass> passes;
    const auto [first, last] = by_call_id_.equal_range(call_id);
    for (auto one = first; one != last; ++one) {
        if (auto told = pass(one->second)) passes.push_back(std::move(*told));
    }
    return passes;
}

std::optional<record::Pass> Media::pass(SessionId id) const {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return std::nullopt;
    const Session& session = found->second;
    record::Pass pass{.call_id = session.call_id, .ends = {}, .streams = {}};
    for (std::size_t i = 0; i < 2; ++i) {
        const EndInfo& end = session.ends[i];
        pass.ends[i] = {.tag = end.tag,
                        .neighbour = end.source(),
                        .edge = end.flow.local,
                        .place = end.verdict.place,
                        .site = end.verdict.site};
    }
    const auto local = [&](loop::SlotId slot) -> std::optional<Endpoint> {
        const LiveLeg* leg = live(slot);
        return leg == nullptr || !leg->opened ? std::nullopt : std::optional(leg->opened->local);
    };
    for (const Stream& stream : session.call.streams()) {
        record::PassStream& told = pass.streams.emplace_back();
        if (stream.legs == 0) continue;
        told.kind = relay::to_string(stream.kind);
        for (const End end : {End::caller, End::callee}) {
            const loop::Shown shown = scheme_.shown(stream.legs, end);
            const loop::SlotId slot = scheme_.slot_towards(stream.legs, end);
            told.ends[index(end)] = {.said = stream.said[index(end)].rtp,
                                     .shown = shown.slot != 0 ? local(shown.slot) : shown.raw,
                                     .leg = local(slot),
                                     .joined = local(scheme_.mate(slot))};
        }
    }
    return pass;
}

}  // namespace natkit::edge
