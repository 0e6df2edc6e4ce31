#include "media.hpp"
#include "natkit/base/text.hpp"

/// A server between two passes that anchors the media of one direction alone. Each pass keeps its relay then: what the
/// server is sent comes on through the pass beyond, though the end there may have been told the other end itself.
namespace natkit::edge {
/// After an answer from that end: whether its neighbour anchors the media of one direction.
void Media::bridge_one_sided(SessionId id, End from, Output& out) {
    Session& session = sessions_.at(id);
    for (const Stream& stream : session.call.streams()) {
        const auto found = stream.legs == 0 ? std::nullopt : scheme_.one_sided(stream.legs);
        if (!found) continue;
        tell_one_sided(session, from, *found, out);
        const loop::SlotId slot = scheme_.bridge(*found);
        if (const LiveLeg* near = near_leg(found->beyond)) out.events.emplace_back(PassEvent{.session = near->session});
        const auto at = place_of_bridge(slot, found->beyond);
        const LiveLeg* known = live(slot);
        if (!at || (known != nullptr && known->opened)) continue;
        const auto& [mate, end] = *at;
        const Session& beyond = sessions_.at(mate->session);
        const auto need = need_of(beyond, beyond.call.streams()[mate->stream], end);
        if (!need) continue;
        out.media.emplace_back(request_for(*need, leg_for(*need, mate->session, mate->stream, end), 0));
    }
}

/// Once a call, for who wonders where its media go.
void Media::tell_one_sided(Session& session, End from, const loop::OneSided& found, Output& out) {
    const LiveLeg* leg = live(found.handed_on);
    const loop::Speaker* itself = scheme_.speaker(found.itself);
    if (leg == nullptr || !leg->opened || itself == nullptr || !itself->endpoint) return;
    if (std::exchange(session.one_sided, true)) return;
    if (const LiveLeg* near = near_leg(found.beyond)) sessions_.at(near->session).one_sided = true;
    const std::string ours = to_string(leg->opened->local);
    const std::string own = to_string(*itself->endpoint);
    std::string text = "call " + text::printable(session.call_id, 80) + ": " +
                       to_string(session.ends[index(from)].source()) + " anchors the media of one direction only: ";
    text += found.in_answer
                ? "it hands our " + ours + " on to the other end, but answers with its own " + own +
                      "; so the loop cannot be collapsed: media stay relayed in both passes, and go through " + own
                : "it offers its own " + own + " to the other end, but answers with our " + ours +
                      "; so the ends share one relay, and nothing goes through " + own;
    out.log_loop(LogLevel::major, std::move(text));
}

/// A leg by which the session of a pass is found.
const Media::LiveLeg* Media::near_leg(loop::PassId pass) const {
    const LiveLeg* leg = live(scheme_.slot_towards(pass, End::caller));
    if (leg == nullptr) leg = live(scheme_.slot_towards(pass, End::callee));
    return leg != nullptr && sessions_.contains(leg->session) ? leg : nullptr;
}

/// The other leg of the pass that a bridge's leg belongs to, and the end that the bridge's leg faces; nothing: it is
/// another pass's, which has opened it.
std::optional<std::pair<const Media::LiveLeg*, End>> Media::place_of_bridge(loop::SlotId slot,
                                                                            loop::PassId pass) const {
    for (const End end : {End::caller, End::callee}) {
        if (slot == 0 || scheme_.slot_towards(pass, end) != slot) continue;
        const LiveLeg* mate = live(scheme_.slot_towards(pass, other(end)));
        if (mate != nullptr) return std::pair(mate, end);
    }
    return std::nullopt;
}

void Media::on_bridge_opened(loop::SlotId id, Result<RelayLeg> opened, Instant now, Output& out) {
    LiveLeg* leg = scheme_.slot(id) == nullptr ? nullptr : live(id);
    if (!opened) {
        out.log_loop(LogLevel::problems, "no leg to bridge a pass: " + to_string(opened.error()));
    } else if (leg == nullptr || leg->opened) {
        out.media.emplace_back(FreeLegs{.legs = {opened->id}});
    } else {
        by_local_[opened->local] = id;
        leg->opened = std::move(*opened);
        tell_and_join(id, *leg, now, out);
        const auto session = sessions_.find(leg->session);
        if (session == sessions_.end()) return;
        out.events.emplace_back(PassEvent{.session = leg->session});
        if (session->second.established) keep(session->second, out);
    }
}

/// After a restart, when all exchanges count: the bridges of before.
void Media::bridge_again(SessionId id, const std::map<SessionId, const SessionState*>& states) {
    for (const Stream& stream : sessions_.at(id).call.streams()) {
        const auto found = stream.legs == 0 ? std::nullopt : scheme_.one_sided(stream.legs);
        if (!found) continue;
        sessions_.at(id).one_sided = true;
        const auto at = place_of_bridge(scheme_.bridge(*found), found->beyond);
        const auto state = at ? states.find(at->first->session) : states.end();
        if (state != states.end()) take_up(state->first, at->first->stream, at->second, *state->second);
    }
}

}  // namespace natkit::edge
