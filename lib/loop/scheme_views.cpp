#include "natkit/loop/scheme.hpp"

/// What the scheme tells; which slots are joined follows from who stands for whom and who was told what.
namespace natkit::loop {

const Slot* Scheme::slot(SlotId id) const {
    const auto found = slots_.find(id);
    return found == slots_.end() ? nullptr : &found->second.value;
}

const Speaker* Scheme::speaker(SpeakerId id) const {
    const auto found = speakers_.find(id);
    return found == speakers_.end() ? nullptr : &found->second.value;
}

SlotId Scheme::mate(SlotId id) const {
    const Slot* one = slot(id);
    const Speaker* behind = one == nullptr ? nullptr : speaker(one->stands_for);
    const Slot* two = behind == nullptr ? nullptr : slot(behind->told.slot);
    if (two == one) return 0;  // a speaker that was told itself
    const Speaker* before = two == nullptr ? nullptr : speaker(two->stands_for);
    return before != nullptr && before->told.slot == id ? behind->told.slot : 0;
}

SpeakerId Scheme::remote(SlotId id) const {
    const Slot* other_one = slot(mate(id));
    return other_one == nullptr ? 0 : other_one->stands_for;
}

bool Scheme::needed(SlotId id) const {
    const auto found = slots_.find(id);
    return found != slots_.end() && (found->second.exchanges > 0 || mate(id) != 0);
}

SpeakerId Scheme::speaks_at(PassId pass, End end) const {
    const PassEnd& pass_end = passes_.at(pass).ends[index(end)];
    return pass_end.named == 0 ? pass_end.speaker : 0;
}

Shown Scheme::shown(PassId pass, End end) const {
    return passes_.at(pass).ends[index(end)].shown;
}

std::optional<End> Scheme::last_offerer(PassId pass) const {
    const auto found = passes_.find(pass);
    return found == passes_.end() ? std::nullopt : found->second.offerer;
}

SlotId Scheme::slot_towards(PassId pass, End end) const {
    return passes_.at(pass).ends[index(end)].slot;
}

}  // namespace natkit::loop
