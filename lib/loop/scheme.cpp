#include "natkit/loop/scheme.hpp"

#include "natkit/loop/roles.hpp"

namespace natkit::loop {

PassId Scheme::open(const nat::Party& caller_end, const nat::Party& callee_end) {
    const PassId id = next_++;
    Pass& pass = passes_[id];
    pass.sides[0].neighbour = caller_end;
    pass.sides[1].neighbour = callee_end;
    for (Side& side : pass.sides) side.pass = id;
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
    note_named(incoming.leg, id);
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
    note_named(shown.leg, 0);
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
    note_named(incoming.leg, id);
    hold_party(destination);  // a leg that gets another party below may be the last that refers to it
    const Side& from = pass.sides[index(answerer)];
    if (from.came == 0) parties_.at(from.own).thing.told = from.shown;
    // Where the offer came in as a leg of ours, an earlier pass will know whom this one stands for.
    Shown shown = asked.came != 0 ? Shown{.leg = use_leg(asked, destination), .raw = {}, .rtcp = {}}
                                  : answer_to_origin(pass, offerer, destination);
    shown.setup = answered_role(pass, offerer, destination, shown);
    set_shown(pass, offerer, shown);
    note_named(shown.leg, 0);
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

void Scheme::make_leg(Side& side) {
    if (side.leg != 0) return;
    side.leg = next_++;
    CountedLeg& made = legs_[side.leg];
    made.thing.towards = side.neighbour;
    made.holders = 1;
    made.pass = side.pass;
}

LegId Scheme::use_leg(Side& side, PartyId stands_for) {
    make_leg(side);
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

}  // namespace natkit::loop
