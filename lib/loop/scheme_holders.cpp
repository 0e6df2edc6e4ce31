#include "natkit/loop/scheme.hpp"

#include <algorithm>
#include <utility>

/// Who refers to which legs and parties: they are gone with the last one. And what has changed.
namespace natkit::loop {

std::vector<LegId> Scheme::take_changed() {
    std::erase(changed_, 0);
    std::ranges::sort(changed_);
    const auto repeats = std::ranges::unique(changed_);
    changed_.erase(repeats.begin(), repeats.end());
    std::vector<LegId> taken(changed_);
    changed_.clear();  // and keeps its room
    return taken;
}

/// Of a pass that changes: its legs, those its parties were told, and whatever all these are joined with.
void Scheme::note_changed(const Pass& pass) {
    for (const Side& side : pass.sides) {
        const Party* own = party(side.own);
        for (const LegId one : {side.leg, side.came, side.shown.leg, own == nullptr ? 0 : own->told.leg}) {
            if (one == 0) continue;
            changed_.push_back(one);
            changed_.push_back(mate(one));
        }
    }
}

void Scheme::set_came(Side& side, LegId leg) {
    if (side.came == leg) return;
    hold_leg(leg);
    drop_leg(std::exchange(side.came, leg));
}

void Scheme::set_shown(Pass& pass, End end, const Shown& shown) {
    pass.sides[index(end)].shown = shown;
}

void Scheme::set_stands_for(LegId id, PartyId party) {
    Leg& leg = legs_.at(id).thing;
    if (leg.stands_for == party) return;
    hold_party(party);
    drop_party(std::exchange(leg.stands_for, party));
}

void Scheme::set_offered(LegId id, PartyId party) {
    const auto found = legs_.find(id);
    if (found == legs_.end() || found->second.thing.offered == party) return;
    hold_party(party);
    drop_party(std::exchange(found->second.thing.offered, party));
}

void Scheme::hold_leg(LegId leg) {
    const auto found = legs_.find(leg);
    if (found != legs_.end()) ++found->second.holders;
}

void Scheme::drop_leg(LegId leg) {
    const auto found = legs_.find(leg);
    if (found == legs_.end() || --found->second.holders > 0) return;
    changed_.push_back(leg);
    const Leg gone = found->second.thing;
    legs_.erase(found);
    drop_party(gone.stands_for);
    drop_party(gone.offered);
}

void Scheme::hold_party(PartyId party) {
    const auto found = parties_.find(party);
    if (found != parties_.end()) ++found->second.holders;
}

void Scheme::drop_party(PartyId party) {
    const auto found = parties_.find(party);
    if (found != parties_.end() && --found->second.holders == 0) parties_.erase(found);
}

}  // namespace natkit::loop
