#include <algorithm>
#include <array>
#include <limits>

#include "../print.hpp"
#include "media.hpp"
#include "natkit/base/text.hpp"
#include "natkit/dialog/stream_kind.hpp"
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
    if (!session.exchange.may_open(opened)) return fail(Errc::usage, "an offer is open already");
    reject(id, opened.owner, now, out);  // the same one, before it was answered
    session.exchange.open(opened);
    session.before = session.streams;
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
    if (session.streams.size() < sdp.media().size()) session.streams.resize(sdp.media().size());
    Shown shown(sdp.media().size());
    nat::Decision told;
    for (std::size_t i = 0; i < sdp.media().size(); ++i) {
        const sdp::Media& media = sdp.media()[i];
        Stream& stream = session.streams[i];
        if (media.rejected()) continue;
        if (media.bundled_with) {  // what it had of its own goes when the exchange is closed
            stream = {};
            stream.shares = media.bundled_with;
            stream.offered_as = described_in(sdp, media);
            continue;
        }
        stream.shares.reset();
        auto offered = said_in(sdp, media, true);
        if (!offered) return std::unexpected(offered.error());
        stream.offered = *std::move(offered);
        const auto said = incoming(session, id, from, stream.offered);
        if (!said) return std::unexpected(said.error());
        stream.offered_hold = sdp.on_hold(media);
        stream.offered_mux = media.rtcp_mux;
        stream.offered_as = described_in(sdp, media);
        open_stream(session, i, dialog::kind_of(media));
        shown[i] = scheme_.offer(stream.pass, from, *said);
        (void)scheme_.prepare(stream.pass);
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

/// The pass of a stream. Another kind of stream on the same line (audio becomes a fax) takes other legs, and has the
/// line for good when its exchange is closed: until then the pass before it lives on in `before`.
void Media::open_stream(Session& session, std::size_t number, relay::Stream kind) {
    Stream& stream = session.streams[number];
    if (stream.pass != 0 && stream.kind == kind && on_its_side(session, stream)) return;
    stream.pass = scheme_.open(neighbour(session, End::caller), neighbour(session, End::callee));
    stream.kind = kind;
}

/// Whether the legs still are on the sides of the neighbours that see them: one may have moved into the LAN, or out.
bool Media::on_its_side(const Session& session, const Stream& stream) const {
    return std::ranges::all_of(std::array{End::caller, End::callee}, [&](End end) {
        const LiveLeg* leg = live(scheme_.slot_towards(stream.pass, end));
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
    if (const loop::Speaker* known = scheme_.speaker(scheme_.speaks_at(stream.pass, other(from))))
        listener = known->where;
    return decide_between(origin, listener);
}

void Media::announce(Session& session, const nat::Decision& told, Output& out) const {
    if (session.announced || told.reasons.empty()) return;
    session.announced = true;
    out.events.emplace_back(DecisionEvent{.call_id = session.call_id,
                                          .caller_flow = session.ends[0].flow,
                                          .caller = session.ends[0].verdict,
                                          .callee_flow = session.ends[1].flow,
                                          .callee = session.ends[1].verdict,
                                          .decision = told});
}

Result<std::string> Media::answer(SessionId id, End from, const std::string& body, Instant now, Output& out) {
    const auto sdp = sdp::Document::parse(body);
    if (!sdp) return std::unexpected(sdp.error());
    if (const auto few = few_enough(*sdp); !few) return std::unexpected(few.error());
    Session& session = sessions_.at(id);
    const auto& open = session.exchange.pending();
    if (!open || open->offerer != other(from)) return repeat(id, from, body, out);
    auto shown = take_answer(id, from, *sdp, out);
    if (!shown) return std::unexpected(shown.error());
    bridge_one_sided(id, from, out);
    follow_scheme(now, out);
    return rewritten(session, from, *sdp, *shown, out);
}

/// The stream whose legs carry one of a description: itself, or by BUNDLE another. An answer may put a stream on
/// another's port though it was offered with one of its own, and it keeps to what the offer put together.
std::size_t Media::carrier_of(const Session& session, const sdp::Media& media, std::size_t number) {
    const std::size_t named = media.bundled_with.value_or(number);
    return named < session.streams.size() ? session.streams[named].shares.value_or(named) : number;
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
    std::vector<const sdp::Media*> answers(session.streams.size());  // by the stream whose legs carry it
    for (std::size_t i = 0; i < session.streams.size(); ++i) {
        Stream& stream = session.streams[i];
        const sdp::Media* media = i < sdp.media().size() ? &sdp.media()[i] : nullptr;
        // A preview may refuse what the answer that counts takes: the stream goes when the exchange is closed.
        stream.refused = media == nullptr || media->rejected();
        stream.bundled.reset();
        if (stream.refused) continue;
        const std::size_t by = carrier_of(session, *media, i);
        Stream& carrier = session.streams[by];
        if (by != i) stream.bundled = by;
        if (const sdp::Media* before = std::exchange(answers[by], media); before != nullptr) {
            answers[by] = before;
            share_port(carrier, from, stream.offered_as, described_in(sdp, *media));
            shown[i] = shown[static_cast<std::size_t>(before - sdp.media().data())];
            if (before->port != media->port) warn_not_bundled(session, out);
            continue;
        }
        // Nothing can be shown for it, and the answerer's own endpoint must not be.
        if (carrier.pass == 0) return fail(Errc::not_found, "a stream that was not offered, or whose relay is gone");
        const auto answered = said_in(sdp, *media, false);
        if (!answered) return std::unexpected(answered.error());
        const auto said = incoming(session, id, from, *answered);
        if (!said) return std::unexpected(said.error());
        carrier.hold = carrier.offered_hold || sdp.on_hold(*media);
        carrier.mux = carrier.offered_mux && media->rtcp_mux;
        agree(carrier, from, described_in(sdp, *media));
        if (answered->rtp) carrier.said[index(from)] = *answered;
        if (carrier.offered.rtp) carrier.said[index(other(from))] = carrier.offered;
        shown[i] = scheme_.answer(carrier.pass, *said);
        note_shown(shown[i]->slot, session, other(from));
    }
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i] != nullptr) session.streams[i].refused = false;
    }
    session.exchange.answer();
    return shown;
}

Result<std::string> Media::repeat(SessionId id, End from, const std::string& body, Output& out) {
    const auto sdp = sdp::Document::parse(body);
    if (!sdp) return std::unexpected(sdp.error());
    if (const auto few = few_enough(*sdp); !few) return std::unexpected(few.error());
    Session& session = sessions_.at(id);
    Shown shown(sdp->media().size());
    for (std::size_t i = 0; i < std::min(shown.size(), session.streams.size()); ++i) {
        const sdp::Media& media = sdp->media()[i];
        const Stream& stream = session.streams[carrier_of(session, media, i)];
        if (media.rejected() || stream.pass == 0) continue;
        const loop::Shown seen = scheme_.shown(stream.pass, other(from));
        if (seen.slot != 0 || seen.raw) shown[i] = seen;
    }
    return rewritten(session, from, *sdp, shown, out);
}

Result<std::string> Media::acknowledge(SessionId id, End from, std::uint32_t cseq, const std::string& body, Instant now,
                                       Output& out) {
    Session& session = sessions_.at(id);
    const bool waited_for = session.exchange.in_ack(from, cseq) == dialog::Role::answer;
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
    if (found == sessions_.end() || !found->second.exchange.pending()) return;
    Session& session = found->second;
    if (!session.exchange.close()) return take_back(session, now, out);
    for (std::size_t i = 0; i < session.streams.size(); ++i) {
        Stream& stream = session.streams[i];
        const loop::PassId old = i < session.before.size() ? session.before[i].pass : 0;
        if (old != 0 && old != stream.pass) scheme_.close(old);
        if (stream.pass != 0 && (stream.refused || stream.bundled)) scheme_.close(stream.pass);
        if (stream.refused || stream.bundled) stream = {.shares = stream.refused ? std::nullopt : stream.bundled};
        if (stream.pass != 0) scheme_.accept(stream.pass);
    }
    session.before.clear();
    follow_scheme(now, out);
    out.events.emplace_back(PassEvent{.session = id});
    if (session.established) keep(session, out);
}

void Media::reject(SessionId id, std::uint64_t owner, Instant now, Output& out) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || !found->second.exchange.owned_by(owner)) return;
    (void)found->second.exchange.close();
    take_back(found->second, now, out);
}

/// What the offer that was open has changed is as it was before.
void Media::take_back(Session& session, Instant now, Output& out) {
    for (std::size_t i = 0; i < session.streams.size(); ++i) {
        const loop::PassId old = i < session.before.size() ? session.before[i].pass : 0;
        const loop::PassId fresh = session.streams[i].pass;
        if (fresh != 0 && fresh != old) scheme_.close(fresh);
        if (old != 0) scheme_.fail(old);
    }
    session.streams = std::move(session.before);
    session.before.clear();
    follow_scheme(now, out);
}

/// The stream is over, whatever becomes of an open exchange.
void Media::lose_stream(Session& session, std::size_t number) {
    for (auto* streams : {&session.streams, &session.before}) {
        if (number >= streams->size()) continue;
        if ((*streams)[number].pass != 0) scheme_.close((*streams)[number].pass);
        (*streams)[number] = {};
    }
}

Result<std::string> Media::rewritten(Session& session, End from, const sdp::Document& sdp, const Shown& shown,
                                     Output& out) const {
    std::vector<std::optional<sdp::MediaTarget>> targets(sdp.media().size());
    std::optional<sdp::MediaTarget> any;
    for (std::size_t i = 0; i < targets.size() && i < shown.size(); ++i) {
        const sdp::Media& media = sdp.media()[i];
        if (!shown[i] || media.bundled_with) continue;
        const bool offers = scheme_.last_offerer(session.streams[carrier_of(session, media, i)].pass) == from;
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
