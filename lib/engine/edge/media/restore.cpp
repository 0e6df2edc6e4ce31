#include <algorithm>
#include <utility>

#include "media.hpp"

/// Established calls from before a restart: what their ends said goes through the scheme once more, and gives the same
/// parties, legs and joins. Nothing is asked of mediarelay, which has them all.
namespace natkit::edge {
SessionId Media::recreate(const SessionState& state, Instant now) {
    const SessionId id = create(state.call_id, state.ends[0], state.ends[1], now);
    Session& session = sessions_.at(id);
    session.established = session.announced = session.caller_proven = true;
    session.began = state.began.value_or(now);
    session.answered = state.answered.value_or(now);
    session.reasons = state.reasons;
    session.token = state.token;
    session.payer = state.payer;
    session.told = state.told;
    for (const SessionState::Stream& known : state.streams) {
        Stream& stream = session.call.streams().emplace_back();
        stream.kind = known.kind;
        stream.mux = known.mux;
        stream.hold = known.hold;
        session.codecs.push_back(known.codec);
        for (std::size_t i = 0; i < 2; ++i) {
            const SessionState::Side& side = known.sides[i];
            stream.said[i] = {.rtp = side.said, .rtcp = side.rtcp, .setup = side.setup};
            stream.sending[i] = {.direction = side.direction, .ssrcs = side.ssrcs};
        }
    }
    return id;
}

/// An offer that names a leg of ours comes after the pass that the leg belongs to.
bool Media::in_turn(SessionId id, const std::unordered_set<Endpoint, EndpointHash>& kept) const {
    return std::ranges::none_of(sessions_.at(id).call.streams(), [&](const Stream& stream) {
        const auto& said = stream.said[index(End::caller)].rtp;
        return said && kept.contains(*said) && !by_local_.contains(*said);
    });
}

void Media::replay_offer(SessionId id, const SessionState& state) {
    Session& session = sessions_.at(id);
    for (std::size_t i = 0; i < session.call.streams().size(); ++i) {
        Stream& stream = session.call.streams()[i];
        // An end that has not said where it is (on hold from the start, ICE, a name nobody knows) has its leg all the
        // same.
        const auto& sides = state.streams[i].sides;
        const bool relayed = sides[0].leg || sides[1].leg;
        if (!relayed && (!stream.said[0].rtp || !stream.said[1].rtp)) continue;
        const auto said = incoming(session, id, End::caller, stream.said[0]);
        if (!said) continue;
        note_same_call(session, said->slot);
        stream.legs = scheme_.open(neighbour(session, End::caller), neighbour(session, End::callee));
        (void)scheme_.offer(stream.legs, End::caller, *said);
        (void)scheme_.prepare(stream.legs);
        for (const End end : {End::caller, End::callee}) take_up(id, i, end, state);
        note_shown(scheme_.shown(stream.legs, End::callee).slot, session, End::callee);
    }
}

/// A leg that mediarelay has for this end of a stream.
void Media::take_up(SessionId id, std::size_t number, End end, const SessionState& state) {
    Session& session = sessions_.at(id);
    const Stream& stream = session.call.streams()[number];
    const loop::SlotId slot = scheme_.slot_towards(stream.legs, end);
    const auto& kept = state.streams[number].sides[index(end)].leg;
    if (slot == 0 || !kept || live(slot) != nullptr) return;
    legs_[slot] = {
        .session = id, .stream = number, .opened = kept, .kind = stream.kind, .told_party = {}, .shown_to = {}};
    const loop::Speaker* own = scheme_.speaker(scheme_.speaks_at(stream.legs, end));
    charge(legs_[slot], session.payer, own != nullptr ? own->where : neighbour(session, end));
    legs_[slot].towards_lan = neighbour(session, end).place == nat::Place::lan;
    by_local_[kept->local] = slot;
    note_shown(slot, session, end);
    if (session.keeper == 0) session.keeper = slot;
}

void Media::replay_answer(SessionId id) {
    Session& session = sessions_.at(id);
    for (const Stream& stream : session.call.streams()) {
        if (stream.legs == 0) continue;
        const auto said = incoming(session, id, End::callee, stream.said[1]);
        if (!said) continue;
        note_same_call(session, said->slot);
        note_shown(scheme_.answer(stream.legs, *said).slot, session, End::caller);
    }
}

/// What mediarelay has done for these calls before is known to it; the ids of their legs.
std::vector<std::string> Media::claimed() {
    std::vector<std::string> claimed;
    for (const loop::SlotId id : scheme_.take_changed()) {
        LiveLeg* leg = live(id);
        if (leg == nullptr || !leg->opened) continue;
        claimed.push_back(leg->opened->id);
        leg->joined = scheme_.mate(id);
        leg->parted = !scheme_.needed(id);
        if (const loop::Speaker* remote = scheme_.speaker(scheme_.remote(id))) {
            leg->told_party = faced(id, *leg, *remote);
            leg->told_renewals = remote->renewals;
        }
        if (const Stream* stream = stream_of(*leg)) {
            leg->told_hold = stream->hold;
            leg->told_mux = stream->mux;
        }
    }
    return claimed;
}

std::vector<std::string> Media::restore(Instant now) {
    std::vector<std::pair<SessionId, const SessionState*>> left;
    for (const SessionState& state : remembered_) {
        const auto known = find(state.call_id, state.ends[0].tag, state.ends[1].tag, &state.token);
        if (!known || sessions_.at(*known).token != state.token) left.emplace_back(recreate(state, now), &state);
    }
    std::unordered_set<Endpoint, EndpointHash> kept;
    for (const SessionState& state : remembered_) {
        for (const SessionState::Stream& stream : state.streams) {
            for (const SessionState::Side& side : stream.sides) {
                if (side.leg) kept.insert(side.leg->local);
            }
        }
    }
    std::vector<SessionId> order;
    const std::map<SessionId, const SessionState*> states(left.begin(), left.end());
    while (!left.empty()) {
        auto next = std::ranges::find_if(left, [&](const auto& entry) { return in_turn(entry.first, kept); });
        if (next == left.end()) next = left.begin();
        replay_offer(next->first, *next->second);
        order.push_back(next->first);
        left.erase(next);
    }
    for (auto id = order.rbegin(); id != order.rend(); ++id) replay_answer(*id);
    for (const SessionId id : order) {
        for (const Stream& stream : sessions_.at(id).call.streams()) {
            if (stream.legs != 0) scheme_.accept(stream.legs);
        }
    }
    for (const SessionId id : order) bridge_again(id, states);
    remembered_.clear();
    auto legs = claimed();
    for (auto& [id, leg] : legs_) {
        // Whether mediarelay had been asked for that yet, nobody knows any more: it is asked again.
        if (std::exchange(leg.parted, false)) superfluous_.add(now, id);
    }
    return legs;
}

}  // namespace natkit::edge
