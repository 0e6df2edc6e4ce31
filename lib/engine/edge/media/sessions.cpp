#include <algorithm>

#include "../print.hpp"
#include "media.hpp"
#include "natkit/sip/registrar.hpp"

/// The life of sessions: found, kept for a repeated INVITE, forked beyond the edge, retired for another answer, ended.
namespace natkit::edge {
namespace {

/// A dialog's entry is looked at this often, so that none of an ended call stays for long.
constexpr std::chrono::minutes look_again{10};

/// How long an INVITE that was challenged may take to come again, and a 2xx of a fork to come late (RFC 3261 section
/// 13.3.1.4: 64 T1).
constexpr std::chrono::seconds late{32};

/// Sessions that wait for their INVITE to come again; the next one gives its ports back at once.
constexpr std::size_t most_answers_parked = 1'000;

/// A call's token, for the memory of those that have ended.
std::uint64_t print_of(std::string_view call_id, const sip::DialogToken& token) {
    return mixed(sip::FlowHash()(token.caller) * 31 + sip::FlowHash()(token.callee), call_id);
}

}  // namespace

SessionId Media::create(std::string call_id, EndInfo caller, EndInfo callee, Instant now) {
    const SessionId id = next_session_++;
    Session& session = sessions_[id];
    session.call_id = std::move(call_id);
    by_call_id_.emplace(session.call_id, id);
    session.token = {.caller = caller.flow, .callee = callee.flow};
    session.ends = {std::move(caller), std::move(callee)};
    index_bindings(id);
    session.began = now;
    session.last_moment = now + settings_.max_dialog;
    plan(id, session.last_moment, "max_dialog", now);
    return id;
}

/// The moment when the session ends by itself.
void Media::plan(SessionId id, Instant when, std::string why, Instant now) {
    Session& session = sessions_.at(id);
    session.ends_at = when;
    session.ends_by = std::move(why);
    deadlines_.add(std::min(when, now + look_again), id);
}

void Media::end_those_due(Instant now, Output& out) {
    while (const auto id = deadlines_.pop_due(now)) {
        const auto found = sessions_.find(*id);
        if (found == sessions_.end()) continue;
        if (found->second.ends_at <= now) {
            const std::string why = found->second.ends_by;
            end(*id, why, now, out);
        } else {
            deadlines_.add(std::min(found->second.ends_at, now + look_again), *id);
        }
    }
}

void Media::set_timer(SessionId id, std::optional<std::chrono::seconds> interval, Instant now) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    const Instant last = found->second.last_moment;
    if (interval && now + *interval < last) return plan(id, now + *interval, "session timer", now);
    if (found->second.ends_at != last) plan(id, last, "max_dialog", now);
}

std::optional<SessionId> Media::find(std::string_view call_id, std::string_view from_tag, std::string_view to_tag,
                                     const sip::DialogToken* flows) const {
    const auto [first, last] = by_call_id_.equal_range(call_id);
    std::optional<SessionId> found;
    for (auto at = first; at != last; ++at) {
        const Session& session = sessions_.at(at->second);
        const auto& ends = session.ends;
        const bool forward = ends[0].tag == from_tag && (ends[1].tag == to_tag || to_tag.empty());
        const bool backward = ends[1].tag == from_tag && ends[0].tag == to_tag;
        if (session.parked || (!forward && !backward)) continue;
        if (flows == nullptr || session.token == *flows) return at->second;
        // One end may have another flow by now. Where both have, it is another pass of the call, whose own session was
        // lost by a restart as it had no leg.
        if (!found && (session.token.caller == flows->caller || session.token.callee == flows->callee))
            found = at->second;
    }
    return found;
}

void Media::index_bindings(SessionId id) {
    for (const EndInfo& end : sessions_.at(id).ends) {
        if (!end.binding.empty()) by_binding_.emplace(end.binding, id);
    }
}

void Media::forget_bindings(SessionId id) {
    for (const EndInfo& end : sessions_.at(id).ends) {
        const auto [first, last] = by_binding_.equal_range(end.binding);
        const auto at = std::find_if(first, last, [&](const auto& entry) { return entry.second == id; });
        if (at != last) by_binding_.erase(at);
    }
}

void Media::move_end(SessionId id, End end, const sip::Flow& flow, const nat::Verdict& verdict) {
    Session& session = sessions_.at(id);
    EndInfo& info = session.ends[static_cast<std::size_t>(end)];
    info.flow = flow;
    info.verdict = verdict;
    const dialog::Call& call = session.call;
    for (const auto* streams : {&call.streams(), &call.before()}) {
        for (const Stream& stream : *streams) {
            if (stream.legs == 0) continue;
            const auto& said = stream.said[static_cast<std::size_t>(end)].rtp;
            scheme_.move(stream.legs, end, neighbour(session, end), speaker(session, end, said));
        }
    }
}

void Media::set_flow(SessionId id, End end, const sip::Flow& flow, const nat::Verdict& verdict, Instant now,
                     Output& out) {
    move_end(id, end, flow, verdict);
    follow_scheme(now, out);
    if (sessions_.at(id).established) keep(sessions_.at(id), out);
}

void Media::follow(const sip::Binding& binding) {
    const auto [first, last] = by_binding_.equal_range(binding.id);
    for (auto at = first; at != last; ++at) {
        for (const End end : {End::caller, End::callee}) {
            const EndInfo& info = end_info(at->second, end);
            if (info.binding == binding.id && info.flow != binding.flow)
                move_end(at->second, end, binding.flow, binding.verdict);
        }
    }
}

void Media::park(SessionId id, std::string_view why, Instant now, Output& out) {
    Session& session = sessions_.at(id);
    if (session.call.streams().empty() || parked_ >= most_answers_parked) return end(id, why, now, out);
    ++parked_;
    session.parked = true;
    session.call.suspend();
    session.ends[1].tag.clear();
    for (const Stream& stream : session.call.streams()) {
        if (stream.legs != 0) scheme_.accept(stream.legs);  // the legs stay the pass's own, though nobody needs them
    }
    follow_scheme(now, out);
    plan(id, now + late, std::string(why), now);
}

std::optional<SessionId> Media::resume(std::string_view call_id, const EndInfo& caller, const EndInfo& callee,
                                       Instant now) {
    const auto [first, last] = by_call_id_.equal_range(call_id);
    const auto at = std::find_if(first, last, [&](const auto& entry) {
        const Session& session = sessions_.at(entry.second);
        return session.parked && session.ends[0].tag == caller.tag && session.ends[0].flow == caller.flow &&
               session.ends[1].flow == callee.flow;
    });
    if (at == last) return std::nullopt;
    Session& session = sessions_.at(at->second);
    --parked_;
    session.parked = false;
    forget_bindings(at->second);
    session.ends = {caller, callee};
    index_bindings(at->second);
    plan(at->second, session.last_moment, "max_dialog", now);
    return at->second;
}

SessionId Media::fork(SessionId original, std::string tag, const std::optional<dialog::Offer>& open, Instant now) {
    EndInfo callee = sessions_.at(original).ends[1];
    callee.tag = std::move(tag);
    const SessionId id = create(sessions_.at(original).call_id, sessions_.at(original).ends[0], callee, now);
    const Session& first = sessions_.at(original);
    Session& session = sessions_.at(id);
    session.token = first.token;
    session.payer = first.payer;
    session.reasons = first.reasons;
    session.announced = true;
    session.told[1] = first.told[1];  // the callee's end was sent one offer for all
    if (!open) return id;
    session.call.open(*open);
    const auto& offered = first.call.streams();
    session.call.offer_lines(offered.size());
    for (std::size_t i = 0; i < offered.size(); ++i) {
        Stream& stream = session.call.streams()[i];
        stream.shares = offered[i].shares;
        if (offered[i].legs == 0) continue;
        stream.legs = scheme_.fork(offered[i].legs);
        stream.kind = offered[i].kind;
        stream.offered = offered[i].offered;
        (void)scheme_.prepare(stream.legs);
    }
    return id;
}

std::optional<Result<std::string>> Media::open_for_answer(SessionId id, std::uint64_t message, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || !found->second.call.exchange().pending()) return std::string();
    const std::uint64_t number = next_ticket_++;
    const dialog::Offer& open = *found->second.call.exchange().pending();
    Waiting waiting{
        .session = id, .owner = open.owner, .offerer = open.offerer, .sdp = {}, .shown = {}, .message = message};
    if (const auto may = affordable(id); !may) return std::unexpected(may.error());
    waiting.missing = open_legs(id, number, out);
    if (waiting.missing == 0) return std::string();
    waiting_.emplace(number, std::move(waiting));
    return std::nullopt;
}

/// Its slots, each once, with those it shares.
std::vector<loop::SlotId> Media::slots_of(const Session& session) const {
    std::vector<loop::SlotId> slots;
    for (const auto* streams : {&session.call.streams(), &session.call.before()}) {
        for (const Stream& stream : *streams) {
            if (stream.legs == 0) continue;
            for (const End end : {End::caller, End::callee}) {
                const loop::SlotId slot = scheme_.slot_towards(stream.legs, end);
                if (slot != 0 && std::ranges::find(slots, slot) == slots.end()) slots.push_back(slot);
            }
        }
    }
    return slots;
}

void Media::win(SessionId id, Instant now, Output& out) {
    Session& session = sessions_.at(id);
    for (const Stream& stream : session.call.streams()) {
        if (stream.legs != 0) scheme_.prefer(stream.legs);
    }
    const auto slots = slots_of(session);
    for (const loop::SlotId slot : slots) {
        if (LiveLeg* known = live(slot)) known->session = id;
    }
    if (std::exchange(session.retired, false)) {
        plan(id, session.last_moment, "max_dialog", now);
        for (const loop::SlotId slot : slots) {
            if (LiveLeg* known = live(slot); known != nullptr && known->opened) tell_and_join(slot, *known, now, out);
        }
    }
    follow_scheme(now, out);
}

void Media::retire(SessionId id, Instant now, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || found->second.established || found->second.retired) return;
    Session& session = found->second;
    session.retired = true;
    for (const loop::SlotId slot : slots_of(session)) part_soon(slot, now);
    out.log(LogLevel::low_level, "call " + session.call_id + ": another answer has won; what was opened for " +
                                     to_string(session.ends[1].source()) + " parts");
    plan(id, now + late, "answered elsewhere", now);
}

std::vector<SessionId> Media::of_call(std::string_view call_id) const {
    std::vector<SessionId> found;
    const auto [first, last] = by_call_id_.equal_range(call_id);
    for (auto at = first; at != last; ++at) found.push_back(at->second);
    return found;
}

bool Media::has_ended(std::string_view call_id, const sip::DialogToken& token, std::string_view method,
                      Instant now) const {
    const auto ended = ended_.find(print_of(call_id, token));
    if (ended == nullptr) return false;
    const auto [first, last] = by_call_id_.equal_range(call_id);
    if (std::any_of(first, last, [&](const auto& entry) { return sessions_.at(entry.second).token == token; }))
        return false;
    const bool may_be_late = method == "BYE" || method == "ACK" || method == "NOTIFY";
    return !may_be_late || now - *ended > late;
}

void Media::end(SessionId id, std::string_view why, Instant now, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return;
    Session& session = found->second;
    const auto slots = slots_of(session);
    EndedCall summary = summed_up(session);
    end_passes(session.call.lose_all());
    forget_bindings(id);
    const auto [first, last] = by_call_id_.equal_range(session.call_id);
    by_call_id_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == id; }));
    const Session ended = std::move(session);
    if (ended.parked) --parked_;
    sessions_.erase(found);
    ended_.touch(print_of(ended.call_id, ended.token)) = now;
    inherit(slots, id, ended.call_id);
    follow_scheme(now, out);
    summary.whole = ended.established || (!ended.retired && !by_call_id_.contains(ended.call_id));
    out.events.emplace_back(CallEvent{.kind = CallEvent::Kind::ended,
                                      .call_id = ended.call_id,
                                      .why = std::string(why),
                                      .ended = std::move(summary)});
}

EndedCall Media::summed_up(const Session& session) const {
    EndedCall summary{.ends = session.ends,
                      .began = session.began,
                      .answered = session.answered,
                      .reasons = session.reasons,
                      .streams = {}};
    const auto& streams = session.call.streams();
    for (std::size_t i = 0; i < streams.size(); ++i) {
        if (streams[i].legs == 0) continue;
        EndedCall::Stream& told = summary.streams.emplace_back();
        told.kind = streams[i].kind;
        if (i < session.codecs.size()) told.codec = session.codecs[i];
        for (const End end : {End::caller, End::callee}) {
            const loop::SlotId slot = scheme_.slot_towards(streams[i].legs, end);
            const LiveLeg* leg = slot == 0 ? nullptr : live(slot);
            if (leg != nullptr && leg->opened) told.legs[index(end)] = leg->opened->id;
        }
    }
    return summary;
}

/// Legs that an ended session has shared with other answers to its INVITE are one of theirs from now on.
void Media::inherit(const std::vector<loop::SlotId>& slots, SessionId ended, const std::string& call_id) {
    const auto [first, last] = by_call_id_.equal_range(call_id);
    for (const loop::SlotId slot : slots) {
        LiveLeg* known = scheme_.slot(slot) == nullptr ? nullptr : live(slot);
        if (known == nullptr || known->session != ended) continue;
        for (auto at = first; at != last; ++at) {
            const auto owned = slots_of(sessions_.at(at->second));
            if (std::ranges::find(owned, slot) != owned.end()) known->session = at->second;
        }
    }
}

void Media::add_connections(std::unordered_set<std::uint64_t>& connections) const {
    for (const auto& [id, session] : sessions_) {
        for (const EndInfo& end : session.ends) connections.insert(end.flow.connection);
    }
}

}  // namespace natkit::edge
