#include "natkit/loop/scheme.hpp"

/// What the scheme tells; which legs are joined follows from who stands for whom and who was told what.
namespace natkit::loop {

const Leg* Scheme::leg(LegId id) const {
    const auto found = legs_.find(id);
    return found == legs_.end() ? nullptr : &found->second.value;
}

const Party* Scheme::party(PartyId id) const {
    const auto found = parties_.find(id);
    return found == parties_.end() ? nullptr : &found->second.value;
}

LegId Scheme::mate(LegId id) const {
    const Leg* one = leg(id);
    const Party* behind = one == nullptr ? nullptr : party(one->stands_for);
    const Leg* two = behind == nullptr ? nullptr : leg(behind->told.leg);
    if (two == one) return 0;  // a party that was told itself
    const Party* before = two == nullptr ? nullptr : party(two->stands_for);
    return before != nullptr && before->told.leg == id ? behind->told.leg : 0;
}

PartyId Scheme::remote(LegId id) const {
    const Leg* other_one = leg(mate(id));
    return other_one == nullptr ? 0 : other_one->stands_for;
}

bool Scheme::needed(LegId id) const {
    const auto found = legs_.find(id);
    return found != legs_.end() && (found->second.exchanges > 0 || mate(id) != 0);
}

PartyId Scheme::speaks_at(PassId pass, End end) const {
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

LegId Scheme::leg_towards(PassId pass, End end) const {
    return passes_.at(pass).ends[index(end)].leg;
}

}  // namespace natkit::loop
