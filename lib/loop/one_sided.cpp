#include "natkit/loop/scheme.hpp"

/// Neighbours between two passes that anchor the media of one direction alone (loops.md, the limit of the scheme).
namespace natkit::loop {

/// A neighbour names the slot in a pass; `pass` 0: the slot is shown again, and nobody has named it since.
void Scheme::note_named(SlotId slot, PassId pass) {
    const auto found = slots_.find(slot);
    if (found != slots_.end()) found->second.named_by = pass;
}

std::optional<OneSided> Scheme::one_sided(PassId id) const {
    const Pass& pass = passes_.at(id);
    if (!pass.offerer) return std::nullopt;
    const PassEnd& answering = pass.ends[index(other(*pass.offerer))];
    // The pass beyond, if no exchange is open there: otherwise the neighbour may still answer there what it says here.
    const auto completed = [this](PassId beyond) {
        const auto found = passes_.find(beyond);
        return found == passes_.end() || found->second.before ? nullptr : &found->second;
    };
    if (answering.named == 0) {
        const auto handed_on = slots_.find(answering.shown.slot);
        if (answering.speaker == 0 || handed_on == slots_.end() || completed(handed_on->second.named_by) == nullptr)
            return std::nullopt;
        return OneSided{.handed_on = handed_on->first,
                        .beyond = handed_on->second.named_by,
                        .itself = answering.speaker,
                        .in_answer = true};
    }
    const auto named = slots_.find(answering.named);
    const Pass* beyond = named == slots_.end() ? nullptr : completed(named->second.pass);
    if (beyond == nullptr) return std::nullopt;
    for (const PassEnd& pass_end : beyond->ends) {
        if (pass_end.slot != answering.named || pass_end.named != 0 || pass_end.speaker == 0) continue;
        // The other end itself, as it was shown here: handed on.
        if (answering.shown.raw && answering.shown.raw == speakers_.at(pass_end.speaker).value.endpoint) continue;
        return OneSided{
            .handed_on = answering.named, .beyond = named->second.pass, .itself = pass_end.speaker, .in_answer = false};
    }
    return std::nullopt;
}

SlotId Scheme::bridge(const OneSided& found) {
    if (!found.in_answer) return 0;  // the ends have one join by the scheme, past that neighbour
    Pass& beyond = passes_.at(found.beyond);
    const End here = beyond.ends[0].named == found.handed_on ? End::caller : End::callee;
    const Slot* shown = slot(beyond.ends[index(here)].slot);
    PassEnd& far = beyond.ends[index(other(here))];
    const Speaker* itself = speaker(found.itself);
    const SpeakerId behind = shown == nullptr ? 0 : shown->stands_for;
    if (itself == nullptr || itself->setup || speaker(behind) == nullptr) return 0;
    note_changed(beyond);
    SlotId facing = speaker(behind)->told.slot;
    if (slot(facing) == nullptr) {
        if (far.speaker != behind || far.named != 0) return 0;
        make_slot(far);
        facing = far.slot;
        speakers_.at(behind).value.told = {.slot = facing, .raw = {}, .rtcp = {}};
    }
    // From which of its ports it will send to this slot it has told nobody.
    Speaker sender{.endpoint = itself->endpoint, .rtcp = {}, .where = itself->where, .told = {}};
    if (sender.where.place == nat::Place::wan) {
        sender.where.place = nat::Place::far_end;
        if (sender.endpoint) sender.where.visible = sender.endpoint->address;
    }
    sender.told.slot = beyond.ends[index(here)].slot;
    const SpeakerId id = next_++;
    speakers_[id] = {.value = sender, .holders = 0};
    set_stands_for(facing, id);
    changed_.push_back(facing);
    note_changed(beyond);
    return facing;
}

}  // namespace natkit::loop
