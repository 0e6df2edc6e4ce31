#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// Silence that is meant, and silence that one party meant to end.
namespace natkit::diagnose {
namespace {

bool is_held(const MediaDescription& media) {
    const bool zero = media.rtp && media.rtp->address.is_unspecified();
    return !media.rejected && (zero || media.hold || media.direction != sdp::Direction::sendrecv);
}

/// The first m= line by which this party wants silence, or null.
const MediaDescription* held_by(const Phase& phase, End party) {
    const SessionDescription* said = phase.written[static_cast<std::size_t>(party)];
    if (said == nullptr) return nullptr;
    const auto found = std::ranges::find_if(said->streams, is_held);
    return found == said->streams.end() ? nullptr : &*found;
}

std::string how(const MediaDescription& media) {
    if (media.rtp && media.rtp->address.is_unspecified()) return "c=0.0.0.0";
    return std::string("a=") + sdp::to_string(media.direction);
}

/// Who asked for the silence of a phase: the offerer, where its description says so.
std::optional<End> holder(const Phase& phase) {
    if (held_by(phase, phase.offerer) != nullptr) return phase.offerer;
    if (held_by(phase, other(phase.offerer)) != nullptr) return other(phase.offerer);
    return std::nullopt;
}

std::uint64_t frame_of(const Phase& phase, End party) {
    return party == phase.offerer ? phase.offer_frame : phase.frame;
}

/// A re-INVITE or UPDATE that was to end the silence of the last phase, and was refused; null: none was.
const Request* refused_resume(const Case& one, const Phase& phase) {
    constexpr std::int64_t least_time = 2 * second_ns;
    const Request* last = nullptr;
    for (const Request& request : one.call().requests) {
        const Response* final = request.final();
        if (!request.in_dialog || final == nullptr || final->status < 300) continue;
        if (final->status == 401 || final->status == 407 || final->first_ns < phase.from_ns) continue;
        const bool resumes = std::ranges::any_of(one.call().descriptions, [&](const SessionDescription& said) {
            return said.request && said.cseq == request.cseq && said.writer == request.sender &&
                   said.method == request.method && !said.streams.empty() &&
                   std::ranges::none_of(said.streams, is_held);
        });
        const bool in_force = one.end_ns() - final->first_ns >= least_time;
        if (resumes && in_force && (last == nullptr || request.vias < last->vias)) last = &request;
    }
    return last;
}

Finding held(const Case& one, std::size_t number, End party) {
    const auto& phases = one.phases();
    const MediaDescription& media = *held_by(phases[number], party);
    const std::string frame = std::to_string(frame_of(phases[number], party));
    const bool from_start = std::ranges::all_of(phases.begin(), phases.begin() + static_cast<std::ptrdiff_t>(number),
                                                [](const Phase& phase) { return phase.early; });
    const Request* refused = refused_resume(one, phases.back());
    std::string until = refused != nullptr ? "until frame " + std::to_string(refused->frame) : "from then on";
    for (std::size_t i = number + 1; i < phases.size(); ++i) {
        if (held_by(phases[i], party) != nullptr) continue;
        until = "until frame " + std::to_string(frame_of(phases[i], party));
        break;
    }
    if (media.direction == sdp::Direction::recvonly && (!media.rtp || !media.rtp->address.is_unspecified()))
        return {.cause = Cause::one_way_agreed,
                .hears_nothing = other(party),
                .sentence = name_at_start(party) + " wants to hear and sends nothing (a=recvonly in frame " + frame +
                            "): that is agreed, and no failure.",
                .change = "Nothing to repair.",
                .frames = {frame_of(phases[number], party)},
                .from_s = one.at(phases[number].from_ns)};
    return {.cause = Cause::on_hold,
            .hears_nothing = party,
            .sentence = from_start
                            ? name_at_start(party) + " wanted nothing sent from the beginning (" + how(media) +
                                  " in frame " + frame + "): that is meant, and no failure."
                            : name_at_start(party) + " put the call on hold in frame " + frame + " (" + how(media) +
                                  "): that nothing is sent to it " + until + " is meant, and no failure.",
            .change = "Nothing to repair. A relay must keep the call meanwhile (mediarelay: hold_timeout).",
            .harmless = true,
            .frames = {frame_of(phases[number], party)},
            .from_s = one.at(phases[number].from_ns)};
}

/// The offer ends the silence, and the answer keeps it up.
void not_resumed(const Case& one, const Phase& phase, std::uint64_t hold_frame, Findings& findings) {
    const End answerer = other(phase.offerer);
    const MediaDescription& answer = *held_by(phase, answerer);
    for (const End from : {End::caller, End::callee}) {
        if (meant(phase, 0, from)) continue;
        findings.add({.cause = Cause::not_resumed,
                      .hears_nothing = other(from),
                      .sentence = name_at_start(other(from)) + " hears nothing from " + tenths(one.at(phase.from_ns)) +
                                  " on: " + name(phase.offerer) + " ends the hold of frame " +
                                  std::to_string(hold_frame) + " in frame " + std::to_string(phase.offer_frame) +
                                  ", and " + name(answerer) + " answers " + how(answer) + " in frame " +
                                  std::to_string(phase.frame) + ". That is signalling, and no matter of NAT.",
                      .change = "The phone or PBX of " + name(answerer) +
                                " must answer sendrecv to the resume: look at its firmware, and at music on hold in a "
                                "PBX between them.",
                      .frames = {phase.offer_frame, phase.frame},
                      .from_s = one.at(phase.from_ns),
                      .to_s = one.at(phase.to_ns)});
    }
}

void resume_refused(const Case& one, const Phase& phase, std::uint64_t hold_frame, const Request& request,
                    Findings& findings) {
    const Response& final = *request.final();
    for (const End from : {End::caller, End::callee}) {
        if (meant(phase, 0, from)) continue;
        findings.add(
            {.cause = Cause::not_resumed,
             .hears_nothing = other(from),
             .sentence = name_at_start(other(from)) + " hears nothing from " + tenths(one.at(request.first_ns)) +
                         " on: " + name(request.sender) + " wants to end the hold of frame " +
                         std::to_string(hold_frame) + " in frame " + std::to_string(request.frame) +
                         ", and that is refused by " + std::to_string(final.status) + " " + final.reason +
                         " in frame " + std::to_string(final.frame) + ". That is signalling, and no matter of NAT.",
             .change =
                 "Look why the phone or PBX of " + name(other(request.sender)) + " refuses the re-INVITE" +
                 (final.status == 491 ? ", and why it is not sent again after a while (RFC 3261 section 14.1)." : "."),
             .status = final.status,
             .frames = {request.frame, final.frame},
             .from_s = one.at(request.first_ns),
             .to_s = one.at(phase.to_ns)});
    }
}

}  // namespace

bool put_on_hold(const Case& one, Findings& findings) {
    std::optional<std::uint64_t> hold;  ///< frame of the one that lasts
    End held_it{};
    for (std::size_t i = 0; i < one.phases().size(); ++i) {
        const Phase& phase = one.phases()[i];
        if (phase.early || phase.moved) continue;
        const auto party = holder(phase);
        if (!party) {
            hold.reset();
        } else if (hold && *party != phase.offerer && phase.offerer == held_it) {
            not_resumed(one, phase, *hold, findings);
        } else if (!hold) {
            hold = frame_of(phase, *party);
            held_it = *party;
            findings.add(held(one, i, *party));
        }
    }
    if (!hold) return false;
    const Phase& last = one.phases().back();
    if (const Request* request = refused_resume(one, last)) resume_refused(one, last, *hold, *request, findings);
    return false;
}

}  // namespace natkit::diagnose
