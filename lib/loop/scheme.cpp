#include "natkit/loop/scheme.hpp"

#include <algorithm>

#include "natkit/loop/roles.hpp"

namespace natkit::loop {
namespace {

constexpr std::size_t index(End end) noexcept {
    return static_cast<std::size_t>(end);
}

}  // namespace

PassId Scheme::open(const nat::Party& caller_end, const nat::Party& callee_end) {
    const PassId id = next_++;
    Pass& pass = passes_[id];
    pass.sides[0].neighbour = caller_end;
    pass.sides[1].neighbour = callee_end;
    return id;
}

PassId Scheme::fork(PassId original) {
    const Pass& first = passes_.at(original);
    const PassId id = open(first.sides[0].neighbour, first.sides[1].neighbour);
    // No offer of the caller that another answer could belong to.
    if (!first.offerer || (first.sides[0].came == 0 && first.sides[0].own == 0)) return id;
    Pass& pass = passes_.at(id);
    pass.offerer = End::caller;
    pass.before = std::make_unique<Before>();  // nothing: when this answer fails, so does all of this pass
    for (std::size_t i = 0; i < 2; ++i) pass.before->sides[i].neighbour = first.sides[i].neighbour;
    const Side& caller = first.sides[0];
    Side& asked = pass.sides[0];
    set_came(asked, caller.came);
    asked.said = caller.said;
    if (caller.own != 0) {
        asked.own = next_++;
        const Party& origin = parties_.at(caller.own).thing;
        parties_[asked.own] = {
            .thing = {.endpoint = origin.endpoint, .where = origin.where, .told = {}, .setup = origin.setup},
            .holders = 1};
    }
    Side& answering = pass.sides[1];
    answering.leg = first.sides[1].leg;
    answering.shown = first.sides[1].shown;
    hold_leg(answering.leg);
    return id;
}

void Scheme::close(PassId id) {
    const auto found = passes_.find(id);
    if (found == passes_.end()) return;
    Pass& pass = found->second;
    note_changed(pass);
    finish(pass);
    for (Side& side : pass.sides) {
        set_came(side, 0);
        drop_leg(side.leg);
        // Nobody who still refers to the party shall find it told anything: its legs are joined no longer.
        if (side.own != 0) parties_.at(side.own).thing.told = {};
        drop_party(side.own);
    }
    passes_.erase(found);
}

Shown Scheme::offer(PassId id, End from, const Incoming& incoming) {
    Pass& pass = passes_.at(id);
    if (pass.before) fail(id);
    note_changed(pass);
    pass.offerer = from;
    pass.before = std::make_unique<Before>();
    for (std::size_t i = 0; i < 2; ++i) {
        const Side& side = pass.sides[i];
        pass.before->sides[i] = side;
        if (side.own != 0) pass.before->parties[i] = parties_.at(side.own).thing;
        if (side.leg != 0) pass.before->legs[i] = legs_.at(side.leg).thing;
    }
    const PartyId origin = speaker(pass, from, incoming);
    if (const PartyId own = speaks_at(id, from); own != 0) parties_.at(own).thing.pending = true;
    Side& to = pass.sides[index(other(from))];
    const nat::Party& listener = who_is_at(to);
    const bool keeps_leg = to.shown.leg != 0 && !is_end(to);
    const bool says_nothing = incoming.leg == 0 && !incoming.endpoint && (to.shown.leg != 0 || to.shown.raw);
    Shown shown{.leg = 0, .raw = party(origin)->endpoint, .rtcp = party(origin)->rtcp};
    if (says_nothing) {
        shown = to.shown;  // on hold by c=0.0.0.0: the neighbour learns no other endpoint, so it has none
        if (shown.leg != 0 && shown.leg == to.leg) shown.leg = offer_leg(to, origin);
    } else if (to.shown.leg != to.leg && still_leads(to, origin) && needs_relay_(party(origin)->where, listener)) {
        shown = to.shown;
    } else if (keeps_leg || needs_relay_(party(origin)->where, listener)) {
        shown = {.leg = offer_leg(to, origin), .raw = {}, .rtcp = {}};
    }
    shown.setup = offered_role(pass, from, origin, shown);
    set_shown(pass, other(from), shown);
    note_changed(pass);
    return shown;
}

Shown Scheme::answer(PassId id, const Incoming& incoming) {
    Pass& pass = passes_.at(id);
    const End offerer = pass.offerer.value_or(End::caller);
    Side& asked = pass.sides[index(offerer)];
    if (!pass.before) return asked.shown;
    note_changed(pass);
    const End answerer = other(offerer);
    if (const Leg* offered = leg(pass.sides[index(answerer)].leg); offered != nullptr && offered->offered != 0) {
        set_stands_for(pass.sides[index(answerer)].leg, offered->offered);
        set_offered(pass.sides[index(answerer)].leg, 0);
    }
    const PartyId destination = speaker(pass, answerer, incoming);
    hold_party(destination);  // a leg that gets another party below may be the last that refers to it
    const Side& from = pass.sides[index(answerer)];
    if (from.came == 0) parties_.at(from.own).thing.told = from.shown;
    // Where the offer came in as a leg of ours, an earlier pass will know whom this one stands for.
    Shown shown = asked.came != 0 ? Shown{.leg = use_leg(asked, destination), .raw = {}, .rtcp = {}}
                                  : answer_to_origin(pass, offerer, destination);
    shown.setup = answered_role(pass, offerer, destination, shown);
    set_shown(pass, offerer, shown);
    if (asked.came == 0) {
        Party& origin = parties_.at(asked.own).thing;
        origin.told = shown;
        origin.pending = false;
        if (shown.setup) origin.setup = left_by(*shown.setup);
    }
    note_changed(pass);
    drop_party(destination);
    return shown;
}

/// This is the pass where the origin itself speaks: it gets what fits to that which the destination was told.
Shown Scheme::answer_to_origin(Pass& pass, End offerer, PartyId destination) {
    Side& asked = pass.sides[index(offerer)];
    const Party& party_there = *party(destination);
    const LegId told = party_there.told.leg;
    if (told == 0 || leg(told) == nullptr) return {.leg = 0, .raw = party_there.endpoint, .rtcp = party_there.rtcp};
    const LegId came = pass.sides[index(other(offerer))].came;
    if (came != 0 && mate(came) == told && !needs_relay_(leg(came)->towards, asked.neighbour))
        return {.leg = came, .raw = {}, .rtcp = {}};
    changed_.push_back(mate(told));  // its join with a leg of a later pass ends here
    set_stands_for(told, asked.own);
    if (still_leads(asked, destination)) return asked.shown;
    return {.leg = use_leg(asked, destination), .raw = {}, .rtcp = {}};
}

/// Who the neighbour is, as far as the media are concerned.
const nat::Party& Scheme::who_is_at(const Side& side) const {
    return is_end(side) ? parties_.at(side.own).thing.where : side.neighbour;
}

/// What the origin of an offer does, as the neighbour that is asked shall see it: by the origin's own words, not by
/// those of a pass before, which had other neighbours in mind.
std::optional<sdp::Setup> Scheme::offered_role(const Pass& pass, End from, PartyId origin, const Shown& shown) const {
    const Side& to = pass.sides[index(other(from))];
    const Party& speaks = *party(origin);
    if (!pass.sides[index(from)].said || !speaks.setup) return std::nullopt;
    return shown_offer(*speaks.setup,
                       {.offerer = speaks.where.place, .answerer = who_is_at(to).place, .relayed = shown.leg != 0});
}

/// What the one that answered does, as the offerer shall see it: an answer to the offerer's own words, or where it
/// sees the endpoint of the other, what that one does indeed.
std::optional<sdp::Setup> Scheme::answered_role(const Pass& pass, End offerer, PartyId destination,
                                                const Shown& shown) const {
    const Side& asked = pass.sides[index(offerer)];
    const Side& from = pass.sides[index(other(offerer))];
    const Party& speaks = *party(destination);
    if (!asked.said || !from.said || !speaks.setup) return std::nullopt;
    const bool relayed = shown.leg != 0;
    return shown_answer(*asked.said, relayed ? *from.said : *speaks.setup,
                        {.offerer = who_is_at(asked).place, .answerer = speaks.where.place, .relayed = relayed});
}

/// Whether the leg that a neighbour knows already, its own or one passed on, will do for this party too.
bool Scheme::still_leads(const Side& side, PartyId party) const {
    const Leg* seen = leg(side.shown.leg);
    return seen != nullptr && behind(*seen) == party && !needs_relay_(seen->towards, side.neighbour);
}

void Scheme::prefer(PassId id) {
    Pass& pass = passes_.at(id);
    if (pass.offerer != End::caller) return;
    const Side& asked = pass.sides[index(End::caller)];
    const Side& from = pass.sides[index(End::callee)];
    const Leg* named = leg(from.came);
    const Party* destination = party(named != nullptr ? named->stands_for : from.own);
    const LegId told = destination == nullptr ? 0 : destination->told.leg;
    if (asked.came != 0 || asked.own == 0 || leg(told) == nullptr) return;
    note_changed(pass);
    set_stands_for(told, asked.own);
    note_changed(pass);
}

LegId Scheme::prepare(PassId id) {
    Pass& pass = passes_.at(id);
    if (!pass.before || !pass.offerer) return 0;
    Side& asked = pass.sides[index(*pass.offerer)];
    const Side& to = pass.sides[index(other(*pass.offerer))];
    // A leg comes back to who was shown none only by a later pass, on the side where it will do as it is.
    if (asked.came == 0 && to.shown.leg == 0) return 0;
    return use_leg(asked, asked.leg == 0 ? 0 : leg(asked.leg)->stands_for);
}

void Scheme::move(PassId id, End end, const nat::Party& neighbour, const std::optional<nat::Party>& speaker) {
    Pass& pass = passes_.at(id);
    Side& side = pass.sides[index(end)];
    side.neighbour = neighbour;
    if (side.leg != 0) legs_.at(side.leg).thing.towards = neighbour;
    if (speaker && side.own != 0 && side.came == 0) parties_.at(side.own).thing.where = *speaker;
    note_changed(pass);
}

void Scheme::accept(PassId id) {
    Pass& pass = passes_.at(id);
    note_changed(pass);
    finish(pass);
}

void Scheme::fail(PassId id) {
    Pass& pass = passes_.at(id);
    if (!pass.before) return;
    note_changed(pass);
    restore(pass);
    note_changed(pass);
    finish(pass);
}

void Scheme::restore(Pass& pass) {
    for (const End end : {End::caller, End::callee}) {
        Side& side = pass.sides[index(end)];
        const Side& before = pass.before->sides[index(end)];
        set_came(side, before.came);
        side.said = before.said;
        set_shown(pass, end, before.shown);
        if (before.own != 0) {
            parties_.at(before.own).thing = pass.before->parties[index(end)];
        } else {
            drop_party(std::exchange(side.own, 0));
        }
        set_offered(side.leg, 0);
        if (before.leg != 0) {
            set_stands_for(before.leg, pass.before->legs[index(end)].stands_for);
        } else if (side.leg != 0) {
            close_exchange(side);
            changed_.push_back(side.leg);
            drop_leg(std::exchange(side.leg, 0));
        }
    }
}

/// Closes the exchange, whichever way it went.
void Scheme::finish(Pass& pass) {
    if (!pass.before) return;
    pass.before.reset();
    for (Side& side : pass.sides) {
        close_exchange(side);
        set_offered(side.leg, 0);
        if (side.own != 0) parties_.at(side.own).thing.pending = false;
    }
}

void Scheme::close_exchange(Side& side) {
    if (std::exchange(side.in_exchange, false)) --legs_.at(side.leg).exchanges;
}

/// Whom the neighbour at `end` speaks of.
PartyId Scheme::speaker(Pass& pass, End end, const Incoming& incoming) {
    Side& side = pass.sides[index(end)];
    if (incoming.setup) side.said = incoming.setup;
    if (leg(incoming.leg) != nullptr) {
        set_came(side, incoming.leg);
    } else if (incoming.endpoint) {
        set_came(side, 0);
    }
    const Leg* named = leg(side.came);
    if (named != nullptr && party(behind(*named)) != nullptr) return behind(*named);
    set_came(side, 0);
    if (side.own == 0) {
        side.own = next_++;
        parties_[side.own] = {.thing = {.endpoint = {}, .where = side.neighbour, .told = {}}, .holders = 1};
    }
    Party& own = parties_.at(side.own).thing;
    if (incoming.endpoint) {
        own.endpoint = incoming.endpoint;
        own.rtcp = incoming.rtcp;
        own.where = incoming.where;
    }
    if (incoming.setup) own.setup = incoming.setup;
    // Once an exchange, however often it is answered.
    if (incoming.renew) own.renewals = (pass.before ? pass.before->parties[index(end)].renewals : own.renewals) + 1;
    return side.own;
}

LegId Scheme::use_leg(Side& side, PartyId stands_for) {
    if (side.leg == 0) {
        side.leg = next_++;
        legs_[side.leg] = {.thing = {.towards = side.neighbour, .stands_for = 0}, .holders = 1};
    }
    if (!std::exchange(side.in_exchange, true)) ++legs_.at(side.leg).exchanges;
    set_stands_for(side.leg, stands_for);
    return side.leg;
}

/// A leg whose party is another one in this offer goes on for the old one until the answer: a join that counts stays.
LegId Scheme::offer_leg(Side& side, PartyId origin) {
    const Leg* known = leg(side.leg);
    if (known == nullptr || known->stands_for == 0 || known->stands_for == origin) return use_leg(side, origin);
    const LegId id = use_leg(side, known->stands_for);
    set_offered(id, origin);
    return id;
}

const Leg* Scheme::leg(LegId id) const {
    const auto found = legs_.find(id);
    return found == legs_.end() ? nullptr : &found->second.thing;
}

const Party* Scheme::party(PartyId id) const {
    const auto found = parties_.find(id);
    return found == parties_.end() ? nullptr : &found->second.thing;
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
    const Side& side = passes_.at(pass).sides[index(end)];
    return side.came == 0 ? side.own : 0;
}

Shown Scheme::shown(PassId pass, End end) const {
    return passes_.at(pass).sides[index(end)].shown;
}

std::optional<End> Scheme::last_offerer(PassId pass) const {
    const auto found = passes_.find(pass);
    return found == passes_.end() ? std::nullopt : found->second.offerer;
}

LegId Scheme::leg_towards(PassId pass, End end) const {
    return passes_.at(pass).sides[index(end)].leg;
}

std::vector<LegId> Scheme::take_changed() {
    std::erase(changed_, 0);
    std::ranges::sort(changed_);
    const auto repeats = std::ranges::unique(changed_);
    changed_.erase(repeats.begin(), repeats.end());
    return std::exchange(changed_, {});
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

// --- who refers to what
// ------------------------------------------------------------------------------------------------

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
