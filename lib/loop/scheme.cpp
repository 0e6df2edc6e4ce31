#include "natkit/loop/scheme.hpp"

#include "natkit/loop/roles.hpp"

namespace natkit::loop {

PassId Scheme::open(const nat::Whereabouts& caller_end, const nat::Whereabouts& callee_end) {
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
        const Speaker& origin = speakers_.at(caller.speaker).value;
        speakers_[asked.speaker] = {
            .value = {.endpoint = origin.endpoint, .where = origin.where, .told = {}, .setup = origin.setup},
            .holders = 1};
    }
    PassEnd& answering = pass.ends[1];
    answering.slot = first.ends[1].slot;
    answering.shown = first.ends[1].shown;
    hold_slot(answering.slot);
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
        drop_slot(pass_end.slot);
        // Nobody who still refers to the speaker shall find it told anything: its slots are joined no longer.
        if (pass_end.speaker != 0) speakers_.at(pass_end.speaker).value.told = {};
        drop_speaker(pass_end.speaker);
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
        if (pass_end.speaker != 0) pass.before->speakers[i] = speakers_.at(pass_end.speaker).value;
        if (pass_end.slot != 0) pass.before->slots[i] = slots_.at(pass_end.slot).value;
    }
    const SpeakerId origin = speaker_meant(pass, from, incoming);
    note_named(incoming.slot, id);
    if (const SpeakerId own = speaks_at(id, from); own != 0) speakers_.at(own).value.pending = true;
    PassEnd& to = pass.ends[index(other(from))];
    const nat::Whereabouts& listener = listener_at(to);
    const bool keeps_slot = to.shown.slot != 0 && !speaks_itself(to);
    const bool says_nothing = incoming.slot == 0 && !incoming.endpoint && (to.shown.slot != 0 || to.shown.raw);
    Shown shown{.slot = 0, .raw = speaker(origin)->endpoint, .rtcp = speaker(origin)->rtcp};
    if (says_nothing) {
        shown = to.shown;  // on hold by c=0.0.0.0: the neighbour learns no other endpoint, so it has none
        if (shown.slot != 0 && shown.slot == to.slot) shown.slot = give_slot_in_offer(to, origin);
    } else if (to.shown.slot != to.slot && still_leads_to(to, origin) &&
               needs_relay_(speaker(origin)->where, listener)) {
        shown = to.shown;
    } else if (keeps_slot || needs_relay_(speaker(origin)->where, listener)) {
        shown = {.slot = give_slot_in_offer(to, origin), .raw = {}, .rtcp = {}};
    }
    shown.setup = offered_role(pass, from, origin, shown);
    set_shown(pass, other(from), shown);
    note_named(shown.slot, 0);
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
    if (const Slot* offered = slot(pass.ends[index(answerer)].slot); offered != nullptr && offered->offered != 0) {
        set_stands_for(pass.ends[index(answerer)].slot, offered->offered);
        set_offered(pass.ends[index(answerer)].slot, 0);
    }
    const SpeakerId destination = speaker_meant(pass, answerer, incoming);
    note_named(incoming.slot, id);
    hold_speaker(destination);  // a slot that gets another speaker below may be the last that refers to it
    const PassEnd& from = pass.ends[index(answerer)];
    if (from.named == 0) speakers_.at(from.speaker).value.told = from.shown;
    // Where the offer came in as a slot of ours, an earlier pass will know whom this one stands for.
    Shown shown = asked.named != 0 ? Shown{.slot = give_slot(asked, destination), .raw = {}, .rtcp = {}}
                                   : answer_to_origin(pass, offerer, destination);
    shown.setup = answered_role(pass, offerer, destination, shown);
    set_shown(pass, offerer, shown);
    note_named(shown.slot, 0);
    if (asked.named == 0) {
        Speaker& origin = speakers_.at(asked.speaker).value;
        origin.told = shown;
        origin.pending = false;
        if (shown.setup) origin.setup = left_by(*shown.setup);
    }
    note_changed(pass);
    drop_speaker(destination);
    return shown;
}

/// This is the pass where the origin itself speaks: it gets what fits to that which the destination was told.
Shown Scheme::answer_to_origin(Pass& pass, End offerer, SpeakerId destination) {
    PassEnd& asked = pass.ends[index(offerer)];
    const Speaker& answering = *speaker(destination);
    const SlotId told = answering.told.slot;
    if (told == 0 || slot(told) == nullptr) return {.slot = 0, .raw = answering.endpoint, .rtcp = answering.rtcp};
    const SlotId came = pass.ends[index(other(offerer))].named;
    if (came != 0 && mate(came) == told && !needs_relay_(slot(came)->towards, asked.neighbour))
        return {.slot = came, .raw = {}, .rtcp = {}};
    changed_.push_back(mate(told));  // its join with a slot of a later pass ends here
    set_stands_for(told, asked.speaker);
    if (still_leads_to(asked, destination)) return asked.shown;
    return {.slot = give_slot(asked, destination), .raw = {}, .rtcp = {}};
}

/// Who the neighbour is, as far as the media are concerned.
const nat::Whereabouts& Scheme::listener_at(const PassEnd& pass_end) const {
    return speaks_itself(pass_end) ? speakers_.at(pass_end.speaker).value.where : pass_end.neighbour;
}

/// What the origin of an offer does, as the neighbour that is asked shall see it: by the origin's own words, not by
/// those of a pass before, which had other neighbours in mind.
std::optional<sdp::Setup> Scheme::offered_role(const Pass& pass, End from, SpeakerId origin, const Shown& shown) const {
    const PassEnd& to = pass.ends[index(other(from))];
    const Speaker& speaks = *speaker(origin);
    if (!pass.ends[index(from)].setup_said || !speaks.setup) return std::nullopt;
    return shown_offer(*speaks.setup,
                       {.offerer = speaks.where.place, .answerer = listener_at(to).place, .relayed = shown.slot != 0});
}

/// What the one that answered does, as the offerer shall see it: an answer to the offerer's own words, or where it
/// sees the endpoint of the other, what that one does indeed.
std::optional<sdp::Setup> Scheme::answered_role(const Pass& pass, End offerer, SpeakerId destination,
                                                const Shown& shown) const {
    const PassEnd& asked = pass.ends[index(offerer)];
    const PassEnd& from = pass.ends[index(other(offerer))];
    const Speaker& speaks = *speaker(destination);
    if (!asked.setup_said || !from.setup_said || !speaks.setup) return std::nullopt;
    const bool relayed = shown.slot != 0;
    return shown_answer(*asked.setup_said, relayed ? *from.setup_said : *speaks.setup,
                        {.offerer = listener_at(asked).place, .answerer = speaks.where.place, .relayed = relayed});
}

/// Whether the slot that a neighbour knows already, its own or one passed on, will do for this speaker too.
bool Scheme::still_leads_to(const PassEnd& pass_end, SpeakerId speaker) const {
    const Slot* seen = slot(pass_end.shown.slot);
    return seen != nullptr && behind(*seen) == speaker && !needs_relay_(seen->towards, pass_end.neighbour);
}

void Scheme::prefer(PassId id) {
    Pass& pass = passes_.at(id);
    if (pass.offerer != End::caller) return;
    const PassEnd& asked = pass.ends[index(End::caller)];
    const PassEnd& from = pass.ends[index(End::callee)];
    const Slot* named = slot(from.named);
    const Speaker* destination = speaker(named != nullptr ? named->stands_for : from.speaker);
    const SlotId told = destination == nullptr ? 0 : destination->told.slot;
    if (asked.named != 0 || asked.speaker == 0 || slot(told) == nullptr) return;
    note_changed(pass);
    set_stands_for(told, asked.speaker);
    note_changed(pass);
}

SlotId Scheme::prepare(PassId id) {
    Pass& pass = passes_.at(id);
    if (!pass.before || !pass.offerer) return 0;
    PassEnd& asked = pass.ends[index(*pass.offerer)];
    const PassEnd& to = pass.ends[index(other(*pass.offerer))];
    // A neighbour that was shown no slot can name one only if a later pass showed it; that one will do as it is.
    if (asked.named == 0 && to.shown.slot == 0) return 0;
    return give_slot(asked, asked.slot == 0 ? 0 : slot(asked.slot)->stands_for);
}

void Scheme::move(PassId id, End end, const nat::Whereabouts& neighbour,
                  const std::optional<nat::Whereabouts>& speaker) {
    Pass& pass = passes_.at(id);
    PassEnd& pass_end = pass.ends[index(end)];
    pass_end.neighbour = neighbour;
    if (pass_end.slot != 0) slots_.at(pass_end.slot).value.towards = neighbour;
    if (speaker && pass_end.speaker != 0 && pass_end.named == 0) speakers_.at(pass_end.speaker).value.where = *speaker;
    note_changed(pass);
}

/// Notes what the neighbour at `end` says. The speaker that it means: its own, or the one behind a slot that it names.
SpeakerId Scheme::speaker_meant(Pass& pass, End end, const Incoming& incoming) {
    PassEnd& pass_end = pass.ends[index(end)];
    if (incoming.setup) pass_end.setup_said = incoming.setup;
    if (slot(incoming.slot) != nullptr) {
        set_named(pass_end, incoming.slot);
    } else if (incoming.endpoint) {
        set_named(pass_end, 0);
    }
    const Slot* named = slot(pass_end.named);
    if (named != nullptr && speaker(behind(*named)) != nullptr) return behind(*named);
    set_named(pass_end, 0);
    if (pass_end.speaker == 0) {
        pass_end.speaker = next_++;
        speakers_[pass_end.speaker] = {.value = {.endpoint = {}, .where = pass_end.neighbour, .told = {}},
                                       .holders = 1};
    }
    Speaker& own = speakers_.at(pass_end.speaker).value;
    if (incoming.endpoint) {
        own.endpoint = incoming.endpoint;
        own.rtcp = incoming.rtcp;
        own.where = incoming.where;
    }
    if (incoming.setup) own.setup = incoming.setup;
    // Once an exchange, however often it is answered.
    if (incoming.renew) own.renewals = (pass.before ? pass.before->speakers[index(end)].renewals : own.renewals) + 1;
    return pass_end.speaker;
}

void Scheme::make_slot(PassEnd& pass_end) {
    if (pass_end.slot != 0) return;
    pass_end.slot = next_++;
    CountedSlot& made = slots_[pass_end.slot];
    made.value.towards = pass_end.neighbour;
    made.holders = 1;
    made.pass = pass_end.pass;
}

SlotId Scheme::give_slot(PassEnd& pass_end, SpeakerId stands_for) {
    make_slot(pass_end);
    if (!std::exchange(pass_end.in_exchange, true)) ++slots_.at(pass_end.slot).exchanges;
    set_stands_for(pass_end.slot, stands_for);
    return pass_end.slot;
}

/// A slot that stands for another speaker so far goes on forwarding for that one until the answer comes: the join in
/// use stays.
SlotId Scheme::give_slot_in_offer(PassEnd& pass_end, SpeakerId origin) {
    const Slot* known = slot(pass_end.slot);
    if (known == nullptr || known->stands_for == 0 || known->stands_for == origin) return give_slot(pass_end, origin);
    const SlotId id = give_slot(pass_end, known->stands_for);
    set_offered(id, origin);
    return id;
}

}  // namespace natkit::loop
