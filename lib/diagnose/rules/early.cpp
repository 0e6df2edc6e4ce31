#include <algorithm>

#include "natkit/diagnose/table.hpp"
#include "wording.hpp"

/// What happens before the call is answered, and is no failure.
namespace natkit::diagnose {
namespace {

constexpr std::uint64_t least_media = 10;  ///< packets: fewer may have overtaken the answer

bool answers_first_invite(const SessionDescription& one) {
    return !one.request && one.writer == End::callee && one.method == "INVITE";
}

/// The first provisional response that describes media, or null.
const SessionDescription* announcement(const Call& call) {
    const auto found = std::ranges::find_if(
        call.descriptions, [](const SessionDescription& one) { return answers_first_invite(one) && one.status < 200; });
    return found == call.descriptions.end() ? nullptr : &*found;
}

/// The first final response to what began the call, on any hop; the end where there is none.
std::int64_t final_response_ns(const Case& one) {
    std::int64_t first = one.end_ns();
    for (const SessionDescription& said : one.call().descriptions) {
        if (answers_first_invite(said) && said.status >= 200) first = std::min(first, said.time_ns);
    }
    for (const Request& request : one.call().requests) {
        if (request.method != "INVITE" || request.in_dialog || request.sender != End::caller) continue;
        for (const Response& response : request.responses) {
            const bool challenge = response.status == 401 || response.status == 407;
            if (response.status >= 200 && !challenge) first = std::min(first, response.first_ns);
        }
    }
    return first;
}

bool other_endpoints(const SessionDescription& first, const SessionDescription& second) {
    for (std::size_t line = 0; line < std::min(first.streams.size(), second.streams.size()); ++line) {
        if (first.streams[line].rtp != second.streams[line].rtp) return true;
    }
    return false;
}

std::string first_endpoint(const SessionDescription& said) {
    for (const MediaDescription& media : said.streams) {
        if (media.rtp) return to_string(*media.rtp);
    }
    return "no endpoint";
}

}  // namespace

bool media_before_the_answer(const Case& one, Findings& findings) {
    const SessionDescription* said = announcement(one.call());
    if (said == nullptr) return false;
    const std::int64_t until = final_response_ns(one);
    const auto sent = one.paths().sent_by(End::callee);
    const std::uint64_t count = packets_of(sent, said->time_ns - second_ns, until);
    if (count < least_media) return false;
    std::int64_t first = until, last = said->time_ns;
    std::uint64_t frame = 0;
    for (const RtpStream* stream : sent) {
        if (stream->first_ns >= until || stream->last_ns < said->time_ns) continue;
        if (stream->first_ns < first) frame = stream->first_frame;
        first = std::min(first, stream->first_ns);
        last = std::max(last, std::min(stream->last_ns, until));
    }
    findings.add(
        {.cause = Cause::early_media,
         .sentence = "The callee's side sends media before the call is answered (early media, announced by the " +
                     std::to_string(said->status) + " in frame " + std::to_string(said->frame) +
                     "): " + packets(count) + " from " + tenths(one.at(first)) + " to " + tenths(one.at(last)) +
                     ". That is usual for ringing tones and announcements, and no failure.",
         .change = "Nothing to repair.",
         .frames = {said->frame, frame},
         .from_s = one.at(first),
         .to_s = one.at(last)});
    return false;
}

bool answered_twice(const Case& one, Findings& findings) {
    const auto& phases = one.phases();
    for (std::size_t i = 1; i < phases.size(); ++i) {
        const auto writer = static_cast<std::size_t>(other(phases[i].offerer));
        const SessionDescription *first = phases[i - 1].written[writer], *second = phases[i].written[writer];
        if (!phases[i].second_answer || first == nullptr || second == nullptr) continue;
        if (first->tag != second->tag || !other_endpoints(*first, *second)) continue;
        findings.add(
            {.cause = Cause::second_answer,
             .sentence = "The " + std::to_string(second->status) + " in frame " + std::to_string(second->frame) +
                         " describes other media (" + first_endpoint(*second) + ") than the " +
                         std::to_string(first->status) + " in frame " + std::to_string(first->frame) + " (" +
                         first_endpoint(*first) +
                         ") in the same dialog: the first one counts (RFC 3261 section 13.2.1), and phones may "
                         "follow either.",
             .change = "Nothing to repair while both hear each other; else the side that answers must offer "
                       "anew (UPDATE, re-INVITE) to change its media.",
             .frames = {first->frame, second->frame},
             .from_s = one.at(second->time_ns)});
    }
    return false;
}

}  // namespace natkit::diagnose
