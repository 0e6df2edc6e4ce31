#include "natkit/loop/scheme.hpp"

#include <algorithm>
#include <utility>

/// Counts which passes refer to which legs and parties, which are gone with the last one; and notes what has changed.
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

/// Of a pass that changes: its legs, those that its parties were told, and the legs that these are joined with.
void Scheme::note_changed(const Pass& pass) {
    for (const PassEnd& pass_end : pass.ends) {
        const Party* own = party(pass_end.speaker);
        for (const LegId one : {pass_end.leg, pass_end.named, pass_end.shown.leg, own == nullptr ? 0 : own->told.leg}) {
            if (one == 0) continue;
            changed_.push_back(one);
            changed_.push_back(mate(one));
        }
    }
}

void Scheme::set_named(PassEnd& pass_end, LegId leg) {
    if (pass_end.named == leg) return;
    hold_leg(leg);
    drop_leg(std::exchange(pass_end.named, leg));
}

void Scheme::set_shown(Pass& pass, End end, const Shown& shown) {
    pass.ends[index(end)].shown = shown;
}

void Scheme::set_stands_for(LegId id, PartyId party) {
    Leg& leg = legs_.at(id).value;
    if (leg.stands_for == party) return;
    hold_party(party);
    drop_party(std::exchange(leg.stands_for, party));
}

void Scheme::set_offered(LegId id, PartyId party) {
    const auto found = legs_.find(id);
    if (found == legs_.end() || found->second.value.offered == party) return;
    hold_party(party);
    drop_party(std::exchange(found->second.value.offered, party));
}

void Scheme::hold_leg(LegId leg) {
    const auto found = legs_.find(leg);
    if (found != legs_.end()) ++found->second.holders;
}

void Scheme::drop_leg(LegId leg) {
    const auto found = legs_.find(leg);
    if (found == legs_.end() || --found->second.holders > 0) return;
    changed_.push_back(leg);
    const Leg gone = found->second.value;
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
