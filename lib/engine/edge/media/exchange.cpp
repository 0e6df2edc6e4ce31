#include <algorithm>
#include <array>
#include <limits>

#include "../print.hpp"
#include "media.hpp"
#include "natkit/base/text.hpp"
#include "natkit/sdp/payload_types.hpp"
#include "natkit/sdp/rewrite.hpp"

/// Offers and answers (RFC 3264): what an open exchange changes is pending; close_exchange() makes it count, reject()
/// takes it back.
namespace natkit::edge {
std::optional<Result<std::string>> Media::offer(SessionId id, const dialog::Offer& opened, const std::string& body,
                                                std::uint64_t message, Instant now, Output& out) {
    auto sdp = sdp::Document::parse(body);
    if (!sdp) return std::unexpected(sdp.error());
    if (const auto few = few_enough(*sdp); !few) return std::unexpected(few.error());
    Session& session = sessions_.at(id);
    if (!session.call.exchange().may_open(opened)) return fail(Errc::usage, "an offer is open already");
    reject(id, opened.owner, now, out);  // the same one, before it was answered
    session.call.open(opened);
    auto shown = take_offer(id, opened.offerer, *sdp, out);
    if (const auto may = affordable(id); shown && !may) shown = std::unexpected(may.error());
    if (!shown) {
        reject(id, opened.owner, now, out);
        return std::unexpected(shown.error());
    }
    const std::uint64_t number = next_ticket_++;
    Waiting waiting{.session = id,
                    .owner = opened.owner,
                    .offerer = opened.offerer,
                    .sdp = {},
                    .shown = std::move(*shown),
                    .message = message};
    waiting.missing = open_legs(id, number, out);
    if (waiting.missing == 0) return rewritten(session, opened.offerer, *sdp, waiting.shown, out);
    waiting.sdp = std::move(*sdp);
    waiting_.emplace(number, std::move(waiting));
    return std::nullopt;
}

/// Each stream asks for legs: who writes thousands of m= lines must not get thousands of ports.
Result<void> Media::few_enough(const sdp::Document& sdp) const {
    if (sdp.streams() <= settings_.most_streams) return {};
    return fail(Errc::bad_input, std::to_string(sdp.streams()) +
                                     " media streams in one description; [limits] streams is " +
                                     std::to_string(settings_.most_streams));
}

/// Each stream of the offer goes through the scheme; what is decided is told once a call.
Result<Media::Shown> Media::take_offer(SessionId id, End from, const sdp::Document& sdp, Output& out) {
    Session& session = sessions_.at(id);
    session.call.offer_lines(sdp.media().size());
    Shown shown(sdp.media().size());
    nat::Decision told;
    for (std::size_t i = 0; i < sdp.media().size(); ++i) {
        const sdp::Media& media = sdp.media()[i];
        if (media.rejected()) continue;
        if (media.bundled_with) {
            session.call.offer_bundled(i, *media.bundled_with, dialog::sending_of(sdp, media));
            continue;
        }
        const auto offered = described_in(sdp, media, true);
        if (!offered) return std::unexpected(offered.error());
        const auto said = incoming(session, id, from, dialog::said_in(*offered), offered->renew);
        if (!said) return std::unexpected(said.error());
        note_same_call(session, said->slot);
        Stream& stream = session.call.streams()[i];
        if (!session.call.offer(i, *offered) || !on_its_side(session, stream))
            stream.legs = scheme_.open(neighbour(session, End::caller), neighbour(session, End::callee));
        shown[i] = scheme_.offer(stream.legs, from, *said);
        (void)scheme_.prepare(stream.legs);
        note_shown(shown[i]->slot, session, other(from));
        const nat::Decision decision = decide(session, stream, from, *said);
        if (told.reasons.empty() || decision.relay) told = decision;
    }
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (sdp.media()[i].bundled_with) shown[i] = shown[*sdp.media()[i].bundled_with];
    }
    session.reasons = told.reasons;
    announce(session, told, out);
    return shown;
}

/// Whether the legs still are on the sides of the neighbours that see them: one may have moved into the LAN, or out.
bool Media::on_its_side(const Session& session, const Stream& stream) const {
    return std::ranges::all_of(std::array{End::caller, End::callee}, [&](End end) {
        const LiveLeg* leg = live(scheme_.slot_towards(stream.legs, end));
        return leg == nullptr || !leg->opened || leg->towards_lan == (neighbour(session, end).place == nat::Place::lan);
    });
}

/// Why the stream gets a relay, or none: the origin of the offer and who it goes to.
nat::Decision Media::decide(const Session& session, const Stream& stream, End from, const loop::Incoming& said) const {
    nat::Whereabouts origin = said.endpoint ? said.where : neighbour(session, from);
    if (const loop::Slot* named = scheme_.slot(said.slot)) {
        if (const loop::Speaker* behind = scheme_.speaker(named->stands_for)) origin = behind->where;
    }
    nat::Whereabouts listener = neighbour(session, other(from));
    if (const loop::Speaker* known = scheme_.speaker(scheme_.speaks_at(stream.legs, other(from))))
        listener = known->where;
    return decide_between(origin, listener);
}

void Media::announce(Session& session, const nat::Decision& told, Output& out) const {
    if (session.announced || told.reasons.empty()) return;
    session.announced = true;
    out.events.emplace_back(DecisionEvent{.call_id = session.call_id,
                                          .caller_flow = session.ends[0].party(),
                                          .caller = session.ends[0].verdict,
                                          .callee_flow = session.ends[1].party(),
                                          .callee = session.ends[1].verdict,
                                          .decision = told});
}

Result<std::string> Media::answer(SessionId id, End from, const std::string& body, Instant now, Output& out) {
    const auto sdp = sdp::Document::parse(body);
    if (!sdp) return std::unexpected(sdp.error());
    if (const auto few = few_enough(*sdp); !few) return std::unexpected(few.error());
    Session& session = sessions_.at(id);
    const auto& open = session.call.exchange().pending();
    if (!open || open->offerer != other(from)) return repeat(id, from, body, out);
    auto shown = take_answer(id, from, *sdp, out);
    if (!shown) return std::unexpected(shown.error());
    bridge_one_sided(id, from, out);
    follow_scheme(now, out);
    return rewritten(session, from, *sdp, *shown, out);
}

/// The one port that was offered for several streams is all that the other end may send to.
void Media::warn_not_bundled(const Session& session, Output& out) {
    out.log(LogLevel::problems, "call " + text::printable(session.call_id, 80) +
                                    ": streams were offered with one port (BUNDLE), and answered with several: only "
                                    "the first of them is relayed");
}

/// What both ends said becomes what the legs face, and the legs are joined.
Result<Media::Shown> Media::take_answer(SessionId id, End from, const sdp::Document& sdp, Output& out) {
    Session& session = sessions_.at(id);
    Shown shown(sdp.media().size());
    const auto lines = session.call.answer_lines(sdp);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].refused) continue;
        const sdp::Media& media = sdp.media()[i];
        Stream& carrier = session.call.streams()[lines[i].carrier];
        if (const auto before = lines[i].same_as) {
            carrier.carry(from, session.call.streams()[i].offered.sending, dialog::sending_of(sdp, media));
            shown[i] = shown[*before];
            if (sdp.media()[*before].port != media.port) warn_not_bundled(session, out);
            continue;
        }
        // Nothing can be shown for it, and the answerer's own endpoint must not be.
        if (carrier.legs == 0) return fail(Errc::not_found, "a stream that was not offered, or whose relay is gone");
        const auto answered = described_in(sdp, media, false);
        if (!answered) return std::unexpected(answered.error());
        const auto said = incoming(session, id, from, dialog::said_in(*answered), answered->renew);
        if (!said) return std::unexpected(said.error());
        note_same_call(session, said->slot);
        carrier.answer(from, *answered);
        if (session.codecs.size() < lines.size()) session.codecs.resize(lines.size());
        session.codecs[lines[i].carrier] = sdp::first_codec(sdp, media);
        shown[i] = scheme_.answer(carrier.legs, *said);
        note_shown(shown[i]->slot, session, other(from));
    }
    session.call.answered();
    return shown;
}

Result<std::string> Media::repeat(SessionId id, End from, const std::string& body, Output& out) {
    const auto sdp = sdp::Document::parse(body);
    if (!sdp) return std::unexpected(sdp.error());
    if (const auto few = few_enough(*sdp); !few) return std::unexpected(few.error());
    Session& session = sessions_.at(id);
    Shown shown(sdp->media().size());
    const auto& streams = session.call.streams();
    for (std::size_t i = 0; i < std::min(shown.size(), streams.size()); ++i) {
        const sdp::Media& media = sdp->media()[i];
        const Stream& stream = streams[session.call.carrier_of(media, i)];
        if (media.rejected() || stream.legs == 0) continue;
        const loop::Shown seen = scheme_.shown(stream.legs, other(from));
        if (seen.slot != 0 || seen.raw) shown[i] = seen;
    }
    return rewritten(session, from, *sdp, shown, out);
}

Result<std::string> Media::acknowledge(SessionId id, End from, std::uint32_t cseq, const std::string& body, Instant now,
                                       Output& out) {
    Session& session = sessions_.at(id);
    const bool waited_for = session.call.exchange().in_ack(from, cseq) == dialog::Role::answer;
    if (body.empty()) {
        if (waited_for) close_exchange(id, now, out);
        return std::string();
    }
    if (waited_for) {
        auto after = answer(id, from, body, now, out);
        close_exchange(id, now, out);
        if (after) session.acknowledged = {.cseq = cseq, .before = body, .after = *after};
        return after;
    }
    if (const auto& known = session.acknowledged; known.cseq == cseq && known.before == body) return known.after;
    return repeat(id, from, body, out);
}

void Media::close_exchange(SessionId id, Instant now, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || !found->second.call.exchange().pending()) return;
    Session& session = found->second;
    const auto changes = session.call.close();
    carry_out(changes, now, out);
    if (!changes.counts) return;
    out.events.emplace_back(PassEvent{.session = id});
    if (session.established) keep(session, out);
}

void Media::reject(SessionId id, std::uint64_t owner, Instant now, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || !found->second.call.exchange().owned_by(owner)) return;
    carry_out(found->second.call.refuse(), now, out);
}

void Media::carry_out(const dialog::LegChanges& changes, Instant now, Output& out) {
    end_passes(changes.ended);
    for (const loop::PassId pass : changes.agreed) scheme_.accept(pass);
    for (const loop::PassId pass : changes.undone) scheme_.fail(pass);
    follow_scheme(now, out);
}

void Media::end_passes(const std::vector<loop::PassId>& passes) {
    for (const loop::PassId pass : passes) scheme_.close(pass);
}

Result<std::string> Media::rewritten(Session& session, End from, const sdp::Document& sdp, const Shown& shown,
                                     Output& out) const {
    std::vector<std::optional<sdp::MediaTarget>> targets(sdp.media().size());
    std::optional<sdp::MediaTarget> any;
    for (std::size_t i = 0; i < targets.size() && i < shown.size(); ++i) {
        const sdp::Media& media = sdp.media()[i];
        if (!shown[i] || media.bundled_with) continue;
        const bool offers =
            scheme_.last_offerer(session.call.streams()[session.call.carrier_of(media, i)].legs) == from;
        auto to_show = target(sdp, sdp.media()[i], *shown[i], offers);
        if (!to_show) return std::unexpected(to_show.error());
        targets[i] = *to_show;
        if (!any) any = targets[i];
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {  // of one port, one target
        if (sdp.media()[i].bundled_with) targets[i] = targets[*sdp.media()[i].bundled_with];
    }
    std::string after(sdp.text());
    sdp::Span version = sdp.origin_version();
    if (any) {
        // A rejected stream shows an address too: it must not be a private one.
        for (std::size_t i = 0; i < targets.size(); ++i) {
            if (!targets[i] && sdp.media()[i].rejected()) targets[i] = any;
        }
        auto rewrite = sdp::rewrite(sdp, targets,
                                    {.ice = sdp::IcePolicy::drop,
                                     .origin_address = any->rtp.address,
                                     .session_version = {},
                                     .hide_rejected = true});
        if (!rewrite) return std::unexpected(rewrite.error());
        for (const sdp::Edit& edit : rewrite->edits) {
            if (edit.offset < version.offset) version.offset += edit.after.size() - edit.before.size();
        }
        after = std::move(rewrite->text);
    }
    number(session.told[index(other(from))], after, version);
    if (verbose_) {
        out.events.emplace_back(RewriteEvent{.call_id = session.call_id,
                                             .from_caller = from == End::caller,
                                             .before = std::string(sdp.text()),
                                             .after = after});
    }
    return after;
}

/// RFC 3264 section 8: the version in o= goes up when anything else differs from what was sent before, and only then.
/// The party's own number is kept wherever it will do. `span`: where the version stands in the text.
void Media::number(Numbered& told, std::string& text, const sdp::Span& span) {
    const auto own = text::parse_number(std::string_view(text).substr(span.offset, span.length),
                                        std::numeric_limits<std::uint64_t>::max());
    if (!own) return;
    const std::string_view all = text;
    const std::uint64_t print = mixed(mixed(0, all.substr(0, span.offset)), all.substr(span.end()));
    std::uint64_t version = *own;
    if (told.version) version = std::max(version, told.print == print ? *told.version : *told.version + 1);
    told = {.version = version, .print = print};
    if (version != *own) text.replace(span.offset, span.length, std::to_string(version));
}

}  // namespace natkit::edge
