#include "natkit/loop/scheme.hpp"

#include <algorithm>
#include <utility>

/// Counts which passes refer to which slots and speakers, which are gone with the last one; and notes what has changed.
namespace natkit::loop {

std::vector<SlotId> Scheme::take_changed() {
    std::erase(changed_, 0);
    std::ranges::sort(changed_);
    const auto repeats = std::ranges::unique(changed_);
    changed_.erase(repeats.begin(), repeats.end());
    std::vector<SlotId> taken(changed_);
    changed_.clear();  // and keeps its room
    return taken;
}

/// Of a pass that changes: its slots, those that its speakers were told, and the slots that these are joined with.
void Scheme::note_changed(const Pass& pass) {
    for (const PassEnd& pass_end : pass.ends) {
        const Speaker* own = speaker(pass_end.speaker);
        for (const SlotId one :
             {pass_end.slot, pass_end.named, pass_end.shown.slot, own == nullptr ? 0 : own->told.slot}) {
            if (one == 0) continue;
            changed_.push_back(one);
            changed_.push_back(mate(one));
        }
    }
}

void Scheme::set_named(PassEnd& pass_end, SlotId slot) {
    if (pass_end.named == slot) return;
    hold_slot(slot);
    drop_slot(std::exchange(pass_end.named, slot));
}

void Scheme::set_shown(Pass& pass, End end, const Shown& shown) {
    pass.ends[index(end)].shown = shown;
}

void Scheme::set_stands_for(SlotId id, SpeakerId speaker) {
    Slot& slot = slots_.at(id).value;
    if (slot.stands_for == speaker) return;
    hold_speaker(speaker);
    drop_speaker(std::exchange(slot.stands_for, speaker));
}

void Scheme::set_offered(SlotId id, SpeakerId speaker) {
    const auto found = slots_.find(id);
    if (found == slots_.end() || found->second.value.offered == speaker) return;
    hold_speaker(speaker);
    drop_speaker(std::exchange(found->second.value.offered, speaker));
}

void Scheme::hold_slot(SlotId slot) {
    const auto found = slots_.find(slot);
    if (found != slots_.end()) ++found->second.holders;
}

void Scheme::drop_slot(SlotId slot) {
    const auto found = slots_.find(slot);
    if (found == slots_.end() || --found->second.holders > 0) return;
    changed_.push_back(slot);
    const Slot gone = found->second.value;
    slots_.erase(found);
    drop_speaker(gone.stands_for);
    drop_speaker(gone.offered);
}

void Scheme::hold_speaker(SpeakerId speaker) {
    const auto found = speakers_.find(speaker);
    if (found != speakers_.end()) ++found->second.holders;
}

void Scheme::drop_speaker(SpeakerId speaker) {
    const auto found = speakers_.find(speaker);
    if (found != speakers_.end() && --found->second.holders == 0) speakers_.erase(found);
}

}  // namespace natkit::loop
