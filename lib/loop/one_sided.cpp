#include "natkit/loop/scheme.hpp"

/// Neighbours between two passes that anchor the media of one direction alone (loops.md, the limit of the scheme).
namespace natkit::loop {
/// A leg comes back in a pass, or (`pass` 0) is shown anew and has not come back yet.
void Scheme::note_named(LegId leg, PassId pass) {
    const auto found = legs_.find(leg);
    if (found != legs_.end()) found->second.named_by = pass;
}

std::optional<OneSided> Scheme::one_sided(PassId id) const {
    const Pass& pass = passes_.at(id);
    if (!pass.offerer) return std::nullopt;
    const Side& answering = pass.sides[index(other(*pass.offerer))];
    // Its answer in the pass beyond counts already: else it may have other plans with its own answer here.
    const auto settled = [this](PassId beyond) {
        const auto found = passes_.find(beyond);
        return found == passes_.end() || found->second.before ? nullptr : &found->second;
    };
    if (answering.came == 0) {
        const auto handed_on = legs_.find(answering.shown.leg);
        if (answering.own == 0 || handed_on == legs_.end() || settled(handed_on->second.named_by) == nullptr)
            return std::nullopt;
        return OneSided{.handed_on = handed_on->first,
                        .beyond = handed_on->second.named_by,
                        .itself = answering.own,
                        .in_answer = true};
    }
    const auto named = legs_.find(answering.came);
    const Pass* beyond = named == legs_.end() ? nullptr : settled(named->second.pass);
    if (beyond == nullptr) return std::nullopt;
    for (const Side& side : beyond->sides) {
        if (side.leg != answering.came || side.came != 0 || side.own == 0) continue;
        // The other end itself, as it was shown here: handed on.
        if (answering.shown.raw && answering.shown.raw == parties_.at(side.own).thing.endpoint) continue;
        return OneSided{
            .handed_on = answering.came, .beyond = named->second.pass, .itself = side.own, .in_answer = false};
    }
    return std::nullopt;
}

LegId Scheme::bridge(const OneSided& found) {
    if (!found.in_answer) return 0;  // the ends have one join by the scheme, past that neighbour
    Pass& beyond = passes_.at(found.beyond);
    const End here = beyond.sides[0].came == found.handed_on ? End::caller : End::callee;
    const Leg* shown = leg(beyond.sides[index(here)].leg);
    Side& far = beyond.sides[index(other(here))];
    const Party* itself = party(found.itself);
    const PartyId behind = shown == nullptr ? 0 : shown->stands_for;
    if (itself == nullptr || itself->setup || party(behind) == nullptr) return 0;
    note_changed(beyond);
    LegId facing = party(behind)->told.leg;
    if (leg(facing) == nullptr) {
        if (far.own != behind || far.came != 0) return 0;
        make_leg(far);
        facing = far.leg;
        parties_.at(behind).thing.told = {.leg = facing, .raw = {}, .rtcp = {}};
    }
    // From which of its ports it will send to this leg it has told nobody.
    Party sender{.endpoint = itself->endpoint, .rtcp = {}, .where = itself->where, .told = {}};
    if (sender.where.place == nat::Place::wan) {
        sender.where.place = nat::Place::far_end;
        if (sender.endpoint) sender.where.visible = sender.endpoint->address;
    }
    sender.told.leg = beyond.sides[index(here)].leg;
    const PartyId id = next_++;
    parties_[id] = {.thing = sender, .holders = 0};
    set_stands_for(facing, id);
    changed_.push_back(facing);
    note_changed(beyond);
    return facing;
}

}  // namespace natkit::loop
