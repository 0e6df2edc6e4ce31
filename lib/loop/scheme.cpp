#include "natkit/loop/scheme.hpp"

#include "natkit/loop/roles.hpp"

namespace natkit::loop {

PassId Scheme::open(const nat::Party& caller_end, const nat::Party& callee_end) {
    const PassId id = next_++;
    Pass& pass = passes_[id];
    pass.ends[0].neighbour = caller_end;
    pass.ends[1].neighbour = callee_end;
    for (PassEnd& pass_end : pass.ends) pass_end.pass = id;
    return id;
}

PassId Scheme::fork(PassId original) {
    const Pass& first = passes_.at(original);
    const PassId id = open(first.ends[0].neighbour, first.ends[1].neighbour);
    // No offer of the caller that another answer could belong to.
    if (!first.offerer || (first.ends[0].named == 0 && first.ends[0].speaker == 0)) return id;
    Pass& pass = passes_.at(id);
    pass.offerer = End::caller;
    pass.before = std::make_unique<Snapshot>();  // nothing: when this answer fails, so does all of this pass
    for (std::size_t i = 0; i < 2; ++i) pass.before->ends[i].neighbour = first.ends[i].neighbour;
    const PassEnd& caller = first.ends[0];
    PassEnd& asked = pass.ends[0];
    set_named(asked, caller.named);
    asked.setup_said = caller.setup_said;
    if (caller.speaker != 0) {
        asked.speaker = next_++;
        const Party& origin = parties_.at(caller.speaker).value;
        parties_[asked.speaker] = {
            .value = {.endpoint = origin.endpoint, .where = origin.where, .told = {}, .setup = origin.setup},
            .holders = 1};
    }
    PassEnd& answering = pass.ends[1];
    answering.leg = first.ends[1].leg;
    answering.shown = first.ends[1].shown;
    hold_leg(answering.leg);
    return id;
}

void Scheme::close(PassId id) {
    const auto found = passes_.find(id);
    if (found == passes_.end()) return;
    Pass& pass = found->second;
    note_changed(pass);
    close_exchanges(pass);
    for (PassEnd& pass_end : pass.ends) {
        set_named(pass_end, 0);
        drop_leg(pass_end.leg);
        // Nobody who still refers to the party shall find it told anything: its legs are joined no longer.
        if (pass_end.speaker != 0) parties_.at(pass_end.speaker).value.told = {};
        drop_party(pass_end.speaker);
    }
    passes_.erase(found);
}

Shown Scheme::offer(PassId id, End from, const Incoming& incoming) {
    Pass& pass = passes_.at(id);
    if (pass.before) fail(id);
    note_changed(pass);
    pass.offerer = from;
    pass.before = std::make_unique<Snapshot>();
    for (std::size_t i = 0; i < 2; ++i) {
        const PassEnd& pass_end = pass.ends[i];
        pass.before->ends[i] = pass_end;
        if (pass_end.speaker != 0) pass.before->parties[i] = parties_.at(pass_end.speaker).value;
        if (pass_end.leg != 0) pass.before->legs[i] = legs_.at(pass_end.leg).value;
    }
    const PartyId origin = party_meant(pass, from, incoming);
    note_named(incoming.leg, id);
    if (const PartyId own = speaks_at(id, from); own != 0) parties_.at(own).value.pending = true;
    PassEnd& to = pass.ends[index(other(from))];
    const nat::Party& listener = listener_at(to);
    const bool keeps_leg = to.shown.leg != 0 && !speaks_itself(to);
    const bool says_nothing = incoming.leg == 0 && !incoming.endpoint && (to.shown.leg != 0 || to.shown.raw);
    Shown shown{.leg = 0, .raw = party(origin)->endpoint, .rtcp = party(origin)->rtcp};
    if (says_nothing) {
        shown = to.shown;  // on hold by c=0.0.0.0: the neighbour learns no other endpoint, so it has none
        if (shown.leg != 0 && shown.leg == to.leg) shown.leg = give_leg_in_offer(to, origin);
    } else if (to.shown.leg != to.leg && still_leads_to(to, origin) && needs_relay_(party(origin)->where, listener)) {
        shown = to.shown;
    } else if (keeps_leg || needs_relay_(party(origin)->where, listener)) {
        shown = {.leg = give_leg_in_offer(to, origin), .raw = {}, .rtcp = {}};
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
    PassEnd& asked = pass.ends[index(offerer)];
    if (!pass.before) return asked.shown;
    note_changed(pass);
    const End answerer = other(offerer);
    if (const Leg* offered = leg(pass.ends[index(answerer)].leg); offered != nullptr && offered->offered != 0) {
        set_stands_for(pass.ends[index(answerer)].leg, offered->offered);
        set_offered(pass.ends[index(answerer)].leg, 0);
    }
    const PartyId destination = party_meant(pass, answerer, incoming);
    note_named(incoming.leg, id);
    hold_party(destination);  // a leg that gets another party below may be the last that refers to it
    const PassEnd& from = pass.ends[index(answerer)];
    if (from.named == 0) parties_.at(from.speaker).value.told = from.shown;
    // Where the offer came in as a leg of ours, an earlier pass will know whom this one stands for.
    Shown shown = asked.named != 0 ? Shown{.leg = give_leg(asked, destination), .raw = {}, .rtcp = {}}
                                   : answer_to_origin(pass, offerer, destination);
    shown.setup = answered_role(pass, offerer, destination, shown);
    set_shown(pass, offerer, shown);
    note_named(shown.leg, 0);
    if (asked.named == 0) {
        Party& origin = parties_.at(asked.speaker).value;
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
    PassEnd& asked = pass.ends[index(offerer)];
    const Party& party_there = *party(destination);
    const LegId told = party_there.told.leg;
    if (told == 0 || leg(told) == nullptr) return {.leg = 0, .raw = party_there.endpoint, .rtcp = party_there.rtcp};
    const LegId came = pass.ends[index(other(offerer))].named;
    if (came != 0 && mate(came) == told && !needs_relay_(leg(came)->towards, asked.neighbour))
        return {.leg = came, .raw = {}, .rtcp = {}};
    changed_.push_back(mate(told));  // its join with a leg of a later pass ends here
    set_stands_for(told, asked.speaker);
    if (still_leads_to(asked, destination)) return asked.shown;
    return {.leg = give_leg(asked, destination), .raw = {}, .rtcp = {}};
}

/// Who the neighbour is, as far as the media are concerned.
const nat::Party& Scheme::listener_at(const PassEnd& pass_end) const {
    return speaks_itself(pass_end) ? parties_.at(pass_end.speaker).value.where : pass_end.neighbour;
}

/// What the origin of an offer does, as the neighbour that is asked shall see it: by the origin's own words, not by
/// those of a pass before, which had other neighbours in mind.
std::optional<sdp::Setup> Scheme::offered_role(const Pass& pass, End from, PartyId origin, const Shown& shown) const {
    const PassEnd& to = pass.ends[index(other(from))];
    const Party& speaks = *party(origin);
    if (!pass.ends[index(from)].setup_said || !speaks.setup) return std::nullopt;
    return shown_offer(*speaks.setup,
                       {.offerer = speaks.where.place, .answerer = listener_at(to).place, .relayed = shown.leg != 0});
}

/// What the one that answered does, as the offerer shall see it: an answer to the offerer's own words, or where it
/// sees the endpoint of the other, what that one does indeed.
std::optional<sdp::Setup> Scheme::answered_role(const Pass& pass, End offerer, PartyId destination,
                                                const Shown& shown) const {
    const PassEnd& asked = pass.ends[index(offerer)];
    const PassEnd& from = pass.ends[index(other(offerer))];
    const Party& speaks = *party(destination);
    if (!asked.setup_said || !from.setup_said || !speaks.setup) return std::nullopt;
    const bool relayed = shown.leg != 0;
    return shown_answer(*asked.setup_said, relayed ? *from.setup_said : *speaks.setup,
                        {.offerer = listener_at(asked).place, .answerer = speaks.where.place, .relayed = relayed});
}

/// Whether the leg that a neighbour knows already, its own or one passed on, will do for this party too.
bool Scheme::still_leads_to(const PassEnd& pass_end, PartyId party) const {
    const Leg* seen = leg(pass_end.shown.leg);
    return seen != nullptr && behind(*seen) == party && !needs_relay_(seen->towards, pass_end.neighbour);
}

void Scheme::prefer(PassId id) {
    Pass& pass = passes_.at(id);
    if (pass.offerer != End::caller) return;
    const PassEnd& asked = pass.ends[index(End::caller)];
    const PassEnd& from = pass.ends[index(End::callee)];
    const Leg* named = leg(from.named);
    const Party* destination = party(named != nullptr ? named->stands_for : from.speaker);
    const LegId told = destination == nullptr ? 0 : destination->told.leg;
    if (asked.named != 0 || asked.speaker == 0 || leg(told) == nullptr) return;
    note_changed(pass);
    set_stands_for(told, asked.speaker);
    note_changed(pass);
}

LegId Scheme::prepare(PassId id) {
    Pass& pass = passes_.at(id);
    if (!pass.before || !pass.offerer) return 0;
    PassEnd& asked = pass.ends[index(*pass.offerer)];
    const PassEnd& to = pass.ends[index(other(*pass.offerer))];
    // A neighbour that was shown no leg can name one only if a later pass showed it; that one will do as it is.
    if (asked.named == 0 && to.shown.leg == 0) return 0;
    return give_leg(asked, asked.leg == 0 ? 0 : leg(asked.leg)->stands_for);
}

void Scheme::move(PassId id, End end, const nat::Party& neighbour, const std::optional<nat::Party>& speaker) {
    Pass& pass = passes_.at(id);
    PassEnd& pass_end = pass.ends[index(end)];
    pass_end.neighbour = neighbour;
    if (pass_end.leg != 0) legs_.at(pass_end.leg).value.towards = neighbour;
    if (speaker && pass_end.speaker != 0 && pass_end.named == 0) parties_.at(pass_end.speaker).value.where = *speaker;
    note_changed(pass);
}

/// Notes what the neighbour at `end` says. The party that it means: its own, or the one behind a leg that it names.
PartyId Scheme::party_meant(Pass& pass, End end, const Incoming& incoming) {
    PassEnd& pass_end = pass.ends[index(end)];
    if (incoming.setup) pass_end.setup_said = incoming.setup;
    if (leg(incoming.leg) != nullptr) {
        set_named(pass_end, incoming.leg);
    } else if (incoming.endpoint) {
        set_named(pass_end, 0);
    }
    const Leg* named = leg(pass_end.named);
    if (named != nullptr && party(behind(*named)) != nullptr) return behind(*named);
    set_named(pass_end, 0);
    if (pass_end.speaker == 0) {
        pass_end.speaker = next_++;
        parties_[pass_end.speaker] = {.value = {.endpoint = {}, .where = pass_end.neighbour, .told = {}}, .holders = 1};
    }
    Party& own = parties_.at(pass_end.speaker).value;
    if (incoming.endpoint) {
        own.endpoint = incoming.endpoint;
        own.rtcp = incoming.rtcp;
        own.where = incoming.where;
    }
    if (incoming.setup) own.setup = incoming.setup;
    // Once an exchange, however often it is answered.
    if (incoming.renew) own.renewals = (pass.before ? pass.before->parties[index(end)].renewals : own.renewals) + 1;
    return pass_end.speaker;
}

void Scheme::make_leg(PassEnd& pass_end) {
    if (pass_end.leg != 0) return;
    pass_end.leg = next_++;
    CountedLeg& made = legs_[pass_end.leg];
    made.value.towards = pass_end.neighbour;
    made.holders = 1;
    made.pass = pass_end.pass;
}

LegId Scheme::give_leg(PassEnd& pass_end, PartyId stands_for) {
    make_leg(pass_end);
    if (!std::exchange(pass_end.in_exchange, true)) ++legs_.at(pass_end.leg).exchanges;
    set_stands_for(pass_end.leg, stands_for);
    return pass_end.leg;
}

/// A leg that stands for another party so far goes on forwarding for that one until the answer comes: the join in use
/// stays.
LegId Scheme::give_leg_in_offer(PassEnd& pass_end, PartyId origin) {
    const Leg* known = leg(pass_end.leg);
    if (known == nullptr || known->stands_for == 0 || known->stands_for == origin) return give_leg(pass_end, origin);
    const LegId id = give_leg(pass_end, known->stands_for);
    set_offered(id, origin);
    return id;
}

}  // namespace natkit::loop
