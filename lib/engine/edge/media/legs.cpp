#include <algorithm>

#include "media.hpp"
#include "natkit/base/text.hpp"

/// The legs that the scheme asks for, as mediarelay has them: opened, facing whom they should, joined, parted, freed.
namespace natkit::edge {
namespace {

constexpr std::size_t most_neighbours = 8;

/// A leg that nobody needs is parted after this while: the answer that needs it may still be on its way through another
/// pass.
constexpr std::chrono::seconds parting_time{1};

/// Whose ports a leg is one of: those of a side and a family.
std::size_t pool_of(const nat::Whereabouts& where) noexcept {
    return (where.place == nat::Place::lan ? 0U : 2U) + (where.family == Family::ipv4 ? 0U : 1U);
}

}  // namespace

Media::LiveLeg* Media::live(loop::SlotId slot) {
    const auto found = legs_.find(slot);
    return found == legs_.end() ? nullptr : &found->second;
}

const Media::LiveLeg* Media::live(loop::SlotId slot) const {
    const auto found = legs_.find(slot);
    return found == legs_.end() ? nullptr : &found->second;
}

/// Who was shown the leg may name it, and in the same call the servers that it is routed to, which may hand it on to
/// each other. Not in the session that the leg belongs to: that would be an echo of what the edge said.
bool Media::may_resolve(const LiveLeg& leg, const Session& session, SessionId id, End from) const {
    if (leg.session == id || !leg.opened) return false;
    const IpAddress& source = session.ends[static_cast<std::size_t>(from)].source().address;
    const bool shown = std::ranges::any_of(leg.shown_to, [&](const IpAddress& neighbour) {
        return nat::same_site(neighbour, source, settings_.networks);
    });
    const auto owner = sessions_.find(leg.session);
    return shown || (owner != sessions_.end() && owner->second.call_id == session.call_id && servers_ != nullptr &&
                     servers_->at(source));
}

void Media::note_shown(loop::SlotId id, const Session& session, End to) {
    LiveLeg* leg = live(id);
    if (leg == nullptr) return;
    const IpAddress& visible = session.ends[static_cast<std::size_t>(to)].source().address;
    if (leg->shown_to.size() < most_neighbours && std::ranges::find(leg->shown_to, visible) == leg->shown_to.end())
        leg->shown_to.push_back(visible);
}

/// Asks for every leg that an open exchange needs and that is not open; how many there are to wait for.
std::size_t Media::open_legs(SessionId id, std::uint64_t waiting, Output& out) {
    const Session& session = sessions_.at(id);
    std::size_t missing = 0;
    for (std::size_t i = 0; i < session.call.streams().size(); ++i) {
        for (const End end : {End::caller, End::callee}) {
            const auto need = need_of(session, session.call.streams()[i], end);
            if (!need) continue;
            LiveLeg& leg = leg_for(*need, id, i, end);
            if (!leg.opened) {
                out.media.emplace_back(request_for(*need, leg, waiting));
                ++missing;
            } else if (std::exchange(leg.parted, false)) {
                out.media.emplace_back(ReopenLeg{.leg = leg.opened->id});
            }
        }
    }
    return missing;
}

/// The leg, open or not, as one of this session, which shows it to the neighbour at that end.
Media::LiveLeg& Media::leg_for(const Need& need, SessionId id, std::size_t number, End end) {
    const Session& session = sessions_.at(id);
    LiveLeg& leg = legs_.try_emplace(need.slot).first->second;
    leg.session = id;
    leg.stream = number;
    leg.kind = session.call.streams()[number].kind;
    if (!leg.opened) leg.towards_lan = neighbour(session, end).place == nat::Place::lan;
    note_shown(need.slot, session, end);
    return leg;
}

OpenLeg Media::request_for(const Need& need, LiveLeg& leg, std::uint64_t waiting) {
    const Session& session = sessions_.at(leg.session);
    charge(leg, session.payer, need.where);
    leg.told_mux = session.call.streams()[leg.stream].offered.mux;
    const std::uint64_t ticket = next_ticket_++;
    tickets_[ticket] = {.waiting = waiting, .slot = need.slot};
    return {.ticket = ticket,
            .stream = leg.kind,
            .mux = leg.told_mux,
            .side = need.where.place == nat::Place::lan ? Side::lan : Side::wan,
            .family = need.where.family,
            .party = need.own != nullptr ? faced(need.slot, leg, *need.own)
                                         : party_of({.endpoint = {}, .rtcp = {}, .where = need.where, .told = {}}),
            .call_id = session.call_id};
}

/// The leg that an end of a stream needs, and where it is to be; nothing: none.
std::optional<Media::Need> Media::need_of(const Session& session, const Stream& stream, End end) const {
    const loop::SlotId slot = stream.legs == 0 ? 0 : scheme_.slot_towards(stream.legs, end);
    if (slot == 0 || !scheme_.needed(slot)) return std::nullopt;
    const loop::Speaker* own = scheme_.speaker(scheme_.speaks_at(stream.legs, end));
    return Need{.slot = slot, .where = own != nullptr ? own->where : neighbour(session, end), .own = own};
}

/// Whether who pays for the session may have the legs that it still lacks.
Result<void> Media::affordable(SessionId id) {
    const Session& session = sessions_.at(id);
    if (session.payer.sender == proxy::Sender::lan) return {};
    proxy::MediaShares::Legs wanted{};
    for (const Stream& stream : session.call.streams()) {
        for (const End end : {End::caller, End::callee}) {
            const auto need = need_of(session, stream, end);
            if (!need) continue;
            const LiveLeg* known = live(need->slot);
            if (known == nullptr || !known->charged) ++wanted[pool_of(need->where)];
        }
    }
    shares_.set_limits(settings_.media_shares);
    const auto verdict = shares_.look(session.payer, wanted);
    if (verdict == proxy::MediaShares::Verdict::pass) return {};
    return fail(Errc::exhausted,
                std::string(proxy::why(verdict)) + " (" + text::printable(proxy::to_string(session.payer), 100) + ")");
}

void Media::charge(LiveLeg& leg, const proxy::Payer& payer, const nat::Whereabouts& where) {
    if (leg.charged) return;
    leg.charged = Charge{.payer = payer, .pool = pool_of(where)};
    shares_.take(payer, leg.charged->pool);
}

/// It is gone from the scheme.
void Media::forget(loop::SlotId id) {
    const auto found = legs_.find(id);
    if (found->second.charged) shares_.give(found->second.charged->payer, found->second.charged->pool);
    legs_.erase(found);
}

std::optional<Media::Ready> Media::on_leg_opened(std::uint64_t ticket_number, Result<RelayLeg> leg, Instant now,
                                                 Output& out) {
    const auto ticket_at = tickets_.find(ticket_number);
    if (ticket_at == tickets_.end()) return std::nullopt;
    const Ticket ticket = ticket_at->second;
    tickets_.erase(ticket_at);
    if (ticket.waiting == 0) {
        on_bridge_opened(ticket.slot, std::move(leg), now, out);
        return std::nullopt;
    }
    const auto waiting_at = waiting_.find(ticket.waiting);
    Waiting& waiting = waiting_at->second;
    LiveLeg* known = scheme_.slot(ticket.slot) == nullptr ? nullptr : live(ticket.slot);
    if (!leg) {
        waiting.failed = leg.error();
    } else if (known == nullptr || known->opened) {
        // The call ended meanwhile, or a repeated offer asked for the leg twice.
        out.media.emplace_back(FreeLegs{.legs = {leg->id}});
    } else {
        by_local_[leg->local] = ticket.slot;
        known->opened = std::move(*leg);
    }
    if (--waiting.missing > 0) return std::nullopt;
    const Waiting done = std::move(waiting);
    waiting_.erase(waiting_at);
    const auto ready = [&](Result<std::string> body) {
        return Ready{.message = done.message, .body = std::move(body)};
    };
    const auto session = sessions_.find(done.session);
    if (session == sessions_.end()) return ready(fail(Errc::not_found, "the call has ended"));
    if (done.failed) {
        reject(done.session, done.owner, now, out);
        return ready(std::unexpected(*done.failed));
    }
    if (!session->second.call.exchange().owned_by(done.owner))
        return ready(fail(Errc::not_found, "the offer was given up"));
    if (!done.sdp) return ready(std::string());
    return ready(rewritten(session->second, done.offerer, *done.sdp, done.shown, out));
}

relay::Party Media::party_of(const loop::Speaker& speaker) const {
    return {.place = speaker.where.place,
            .endpoint = speaker.endpoint,
            .rtcp = speaker.rtcp,
            .visible = speaker.where.visible,
            .site = nat::site_of(speaker.where.visible, settings_.networks),
            .setup = speaker.setup};
}

/// Null: it is over.
const Media::Stream* Media::stream_of(const LiveLeg& leg) const {
    const auto session = sessions_.find(leg.session);
    if (session == sessions_.end() || leg.stream >= session->second.call.streams().size()) return nullptr;
    return &session->second.call.streams()[leg.stream];
}

/// For the log.
std::string Media::call_id_of(const LiveLeg& leg) const {
    const auto session = sessions_.find(leg.session);
    return session == sessions_.end() ? std::string("that has ended") : text::printable(session->second.call_id, 80);
}

std::vector<std::string> Media::legs() const {
    std::vector<std::string> ids;
    for (const auto& [id, leg] : legs_) {
        if (leg.opened) ids.push_back(leg.opened->id);
    }
    return ids;
}

/// Whatever has changed in the scheme since the last time, mediarelay is asked to do.
void Media::follow_scheme(Instant now, Output& out) {
    std::vector<std::string> freed;
    for (const loop::SlotId id : scheme_.take_changed()) {
        const auto found = legs_.find(id);
        if (found == legs_.end()) continue;
        LiveLeg& leg = found->second;
        if (scheme_.slot(id) != nullptr) {
            if (leg.opened) tell_and_join(id, leg, now, out);
            continue;
        }
        if (leg.opened) {
            freed.push_back(leg.opened->id);
            by_local_.erase(leg.opened->local);
        }
        forget(id);
    }
    if (!freed.empty()) out.media.emplace_back(FreeLegs{.legs = std::move(freed)});
}

void Media::tell_and_join(loop::SlotId id, LiveLeg& leg, Instant now, Output& out) {
    const loop::SlotId mate_id = scheme_.mate(id);
    LiveLeg* mate = live(mate_id);
    if (retired(leg) || (mate != nullptr && retired(*mate))) return;
    if (mate_id == 0 || mate == nullptr || !mate->opened) {
        if (!scheme_.needed(id) && !leg.parted) part_soon(id, now);
        return;
    }
    tell_party(id, leg, out);
    tell_party(mate_id, *mate, out);
    if (leg.joined == mate_id && mate->joined == id) return;
    out.media.emplace_back(JoinLegs{.a = leg.opened->id, .b = mate->opened->id});
    if (leg.session != mate->session) {
        out.log_loop(LogLevel::major, "call " + call_id_of(leg) + ": it comes through again: leg " +
                                          to_string(leg.opened->local) + " of one pass joined with " +
                                          to_string(mate->opened->local) + " of another one, call " +
                                          call_id_of(*mate));
    }
    for (LiveLeg* one : {&leg, mate}) {
        if (LiveLeg* before = live(one->joined); before != nullptr && before != &leg && before != mate)
            before->joined = 0;
        one->parted = false;
    }
    leg.joined = mate_id;
    mate->joined = id;
}

void Media::tell_party(loop::SlotId id, LiveLeg& leg, Output& out) {
    const loop::Speaker* remote = scheme_.speaker(scheme_.remote(id));
    if (remote == nullptr || (remote->pending && leg.told_party)) return;  // an offer without answer changes nothing
    const relay::Party party = faced(id, leg, *remote);
    const Stream* stream = stream_of(leg);
    const bool hold = stream != nullptr && stream->hold;
    const bool mux = stream == nullptr ? leg.told_mux : stream->mux;
    const bool renew = leg.told_party && leg.told_renewals != remote->renewals;
    if (leg.told_party == party && !renew && leg.told_hold == hold && leg.told_mux == mux) return;
    const auto new_mux = leg.told_mux == mux ? std::nullopt : std::optional(mux);
    leg.told_party = party;
    leg.told_renewals = remote->renewals;
    leg.told_hold = hold;
    leg.told_mux = mux;
    out.media.emplace_back(
        UpdateLeg{.leg = leg.opened->id, .party = party, .hold = hold, .mux = new_mux, .renew = renew});
}

void Media::part_superfluous(Instant now, Output& out) {
    while (const auto id = superfluous_.pop_due(now)) {
        LiveLeg* leg = live(*id);
        if (leg == nullptr || !leg->opened || leg->parted || (scheme_.needed(*id) && !retired(*leg))) continue;
        part(*leg, out);
        if (!retired(*leg)) {
            out.log_loop(LogLevel::low_level, "call " + call_id_of(*leg) + ": leg " + to_string(leg->opened->local) +
                                                  " is superfluous, and parts");
        }
    }
}

/// Not at once: an answer that needs it after all may be on its way.
void Media::part_soon(loop::SlotId slot, Instant now) {
    superfluous_.add(now + parting_time, slot);
}

bool Media::retired(const LiveLeg& leg) const {
    const auto session = sessions_.find(leg.session);
    return session != sessions_.end() && session->second.retired;
}

void Media::part(LiveLeg& leg, Output& out) {
    leg.joined = 0;
    leg.told_party.reset();
    if (leg.opened && !std::exchange(leg.parted, true)) out.media.emplace_back(PartLeg{.leg = leg.opened->id});
}

/// mediarelay has freed them by itself: their streams are over.
void Media::on_legs_lost(const std::vector<std::string>& lost, Instant now, Output& out) {
    const std::unordered_set<std::string_view> gone(lost.begin(), lost.end());
    std::vector<std::pair<SessionId, std::size_t>> streams;
    for (auto& [id, leg] : legs_) {
        if (!leg.opened || !gone.contains(leg.opened->id)) continue;
        by_local_.erase(leg.opened->local);
        leg.opened.reset();
        streams.emplace_back(leg.session, leg.stream);
    }
    for (const auto& [session, stream] : streams) {
        const auto found = sessions_.find(session);
        if (found == sessions_.end() || stream >= found->second.call.streams().size()) continue;
        if (found->second.call.streams()[stream].legs == 0) continue;
        out.log(LogLevel::problems,
                "call " + found->second.call_id + ": its media relay is gone (silent for too long, or lost)");
        end_passes(found->second.call.lose(stream));
    }
    follow_scheme(now, out);
}

/// Leaves with one of its legs what a restarted edge needs to know of the call, and nothing with the one before.
void Media::keep(Session& session, Output& out) {
    SessionState state{.call_id = session.call_id,
                       .began = session.began,
                       .answered = session.answered,
                       .payer = session.payer,
                       .ends = session.ends,
                       .token = session.token,
                       .told = session.told,
                       .streams = {},
                       .reasons = session.reasons};
    loop::SlotId keeper = 0;
    const auto& streams = session.call.streams();
    for (std::size_t number = 0; number < streams.size(); ++number) {
        const Stream& stream = streams[number];
        SessionState::Stream& kept = state.streams.emplace_back();
        if (number < session.codecs.size()) kept.codec = session.codecs[number];
        kept.kind = stream.kind;
        kept.mux = stream.mux;
        kept.hold = stream.hold;
        if (stream.legs == 0) continue;
        for (const End end : {End::caller, End::callee}) {
            const std::size_t i = static_cast<std::size_t>(end);
            const loop::SlotId id = scheme_.slot_towards(stream.legs, end);
            const LiveLeg* leg = live(id);
            const loop::Speaker* own = scheme_.speaker(scheme_.speaks_at(stream.legs, end));
            kept.sides[i] = {.leg = {},
                             .said = stream.said[i].rtp,
                             .rtcp = stream.said[i].rtcp,
                             .setup = own == nullptr ? stream.said[i].setup : own->setup,
                             .direction = stream.sending[i].direction,
                             .ssrcs = stream.sending[i].ssrcs};
            if (leg == nullptr || !leg->opened) continue;
            kept.sides[i].leg = leg->opened;
            if (keeper == 0 || id == session.keeper) keeper = id;
        }
    }
    const loop::SlotId before = std::exchange(session.keeper, keeper);
    if (const LiveLeg* old = live(before); before != keeper && old != nullptr && old->opened)
        out.media.emplace_back(KeepState{.leg = old->opened->id, .state = {}});
    if (keeper != 0) out.media.emplace_back(KeepState{.leg = live(keeper)->opened->id, .state = std::move(state)});
}

}  // namespace natkit::edge
