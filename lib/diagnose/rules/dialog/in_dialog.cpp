#include <algorithm>

#include "../wording.hpp"
#include "natkit/base/text.hpp"
#include "natkit/diagnose/table.hpp"

/// Requests within a call that do not get through.
namespace natkit::diagnose {
namespace {

constexpr unsigned repeated = 4;  ///< a 2xx so often: nobody acknowledges it

bool unreachable(const Case& one, const Endpoint& at) {
    return one.is_private(at.address) && !one.paths().seen(at.address);
}

/// An INVITE whose 2xx was repeated on this hop, or null.
const Response* repeated_answer(const Request& invite) {
    if (invite.method != "INVITE") return nullptr;
    const auto found = std::ranges::find_if(invite.responses, [](const Response& response) {
        return response.status >= 200 && response.status < 300 && response.copies >= repeated;
    });
    return found == invite.responses.end() ? nullptr : &*found;
}

/// The caller is outside, and is shown a private Contact without a way through a proxy.
bool leads_nowhere(const Case& one, const Response& answer) {
    const auto caller = one.visible(End::caller);
    return answer.contact && !answer.record_routed && one.is_private(answer.contact->address) && caller &&
           !one.is_private(*caller);
}

/// `ack`: null where it is not in the capture.
Finding ack_to_contact(const Response& answer, const Request* ack) {
    const Endpoint to = ack != nullptr ? ack->destination : *answer.contact;
    std::vector<std::uint64_t> frames = {answer.frame};
    if (ack != nullptr) frames.push_back(ack->frame);
    return {.cause = Cause::ack_unreachable,
            .sentence = (ack != nullptr ? "The ACK (frame " + std::to_string(ack->frame) + ") goes to "
                                        : std::string("No ACK comes: it has to go to ")) +
                        to_string(to) + ", the Contact of the 200 in frame " + std::to_string(answer.frame) +
                        ", which cannot be reached from there" +
                        (answer.record_routed ? "" : " (no proxy record-routed)") + ": the 200 was sent " +
                        times(answer.copies) + ", and the call ends when its sender gives up.",
            .change =
                "Record-Route at the proxy, with an address that each side can reach, or a Contact that can be "
                "reached (natkit rewrites it; Kamailio: record_route(), fix_nated_contact(); Asterisk: "
                "external_signaling_address).",
            .confidence = ack != nullptr ? Confidence::seen : Confidence::inferred,
            .frames = frames};
}

/// The session timer (RFC 4028) of the call, seconds; 0: none.
std::uint32_t session_expires(const Call& call) {
    std::uint32_t seconds = 0;
    for (const Request& one : call.requests) {
        seconds = std::max(seconds, one.session_expires.value_or(0));
        for (const Response& response : one.responses)
            seconds = std::max(seconds, response.session_expires.value_or(0));
    }
    return seconds;
}

/// What a session timer was set to last, and who has to refresh it.
struct Session {
    std::uint32_t seconds = 0;
    End refresher{};
    std::uint64_t frame = 0;
    std::int64_t from_ns = 0;
};

std::optional<Session> last_session(const Call& call) {
    std::optional<Session> last;
    for (const Request& request : call.requests) {
        for (const Response& answer : request.responses) {
            const bool agreed = answer.status >= 200 && answer.status < 300 && answer.session_expires.value_or(0) > 0;
            if (!agreed || (last && last->from_ns > answer.first_ns)) continue;
            last = Session{.seconds = *answer.session_expires,
                           .refresher = answer.receiver_refreshes ? request.sender : other(request.sender),
                           .frame = answer.frame,
                           .from_ns = answer.first_ns};
        }
    }
    return last;
}

const Request* first_bye(const Call& call) {
    const Request* first = nullptr;
    for (const Request& request : call.requests) {
        if (request.method == "BYE" && (first == nullptr || request.first_ns < first->first_ns)) first = &request;
    }
    return first;
}

/// Its Reason names the timer.
bool says_so(const Request& bye) {
    const std::string reason = text::lower(bye.reason);
    return reason.find("session") != std::string::npos &&
           (reason.find("time") != std::string::npos || reason.find("expire") != std::string::npos);
}

/// A third of the interval before its end, at most 32 seconds, or at its end (RFC 4028 section 10).
bool in_time(const Session& session, const Request& bye) {
    const std::int64_t whole = session.seconds * second_ns;
    const std::int64_t elapsed = bye.first_ns - session.from_ns;
    const auto about = [&](std::int64_t due) {
        return elapsed >= due - second_ns / 2 && elapsed <= due + 2 * second_ns;
    };
    return about(whole) || about(whole - std::min(32 * second_ns, whole / 3)) || (says_so(bye) && elapsed > whole / 2);
}

bool refreshes(const Request& request) {
    return request.in_dialog && (request.method == "INVITE" || request.method == "UPDATE");
}

/// Never answered by its receiver, however often it was sent.
bool lost(const Request& request) {
    if (!request.in_dialog || request.method == "ACK") return false;
    return request.status == 408 || (request.copies >= few_copies && request.status == 0);
}

/// On the hop farthest from its sender on which nobody answered.
const Request& where_lost(const Call& call, const Request& request) {
    const Request* far = &request;
    for (const Request& one : call.requests) {
        const bool same = one.method == request.method && one.cseq == request.cseq && one.sender == request.sender;
        if (same && one.status == 0 && lost(one) && (far->status != 0 || one.vias > far->vias)) far = &one;
    }
    return *far;
}

/// ", the Contact of the caller", or nothing.
std::string whose_contact(const Call& call, const Endpoint& at) {
    for (const Request& request : call.requests) {
        if (request.contact == at) return ", the Contact of " + name(request.sender) + ",";
        for (const Response& response : request.responses) {
            if (response.contact == at) return ", the Contact of " + name(other(request.sender)) + ",";
        }
    }
    return {};
}

/// Where a proxy gives up, and nothing is seen behind it.
std::string refused_by_proxy(const Request& request) {
    const Response* final = request.final();
    return "was answered by " + std::to_string(request.status) +
           (final != nullptr ? " in frame " + std::to_string(final->frame) : "") + ": the proxy at " +
           to_string(request.destination) + " got no answer from the other side.";
}

std::string fate(const Case& one, const Request& request) {
    if (request.status != 0) return refused_by_proxy(request);
    const Endpoint& at = request.destination;
    const std::string sent = "was sent " + times(request.copies) + " to " + to_string(at) + " and never answered";
    if (unreachable(one, at))
        return sent + ": " + to_string(at) + whose_contact(one.call(), at) + " is " + kind_of(at.address) +
               " that cannot be reached from there" +
               (request.routed ? "." : ", and no Route leads back through a proxy.");
    const std::int64_t silence = request.heard_ns ? request.first_ns - *request.heard_ns : 0;
    constexpr std::int64_t long_silence = 4 * second_ns;
    if (silence < long_silence) return sent + ".";
    return sent + "; who is there was heard last " + seconds(silence) +
           " before: its NAT may have forgotten the mapping.";
}

/// "BYE of the caller (frame 12, 6.0 s)"
std::string title(const Case& one, const Request& request) {
    return request.method + " of " + name(request.sender) + " (frame " + std::to_string(request.frame) + ", " +
           tenths(one.at(request.first_ns)) + ")";
}

Finding lost_request(const Case& one, const Request& request) {
    const bool bye = request.method == "BYE";
    const Request& far = where_lost(one.call(), request);
    return {.cause = Cause::request_lost,
            .sentence =
                title(one, far) + " " + fate(one, far) + (bye ? " The other phone stays in the call." : std::string()),
            .change =
                "Record-Route at the proxy, with an address that each side can reach, so that requests within the "
                "call come back through it, and keep the NAT's mapping open ([pinger] udp_interval).",
            .frames = {request.frame, far.frame, far.last_frame},
            .from_s = one.at(request.first_ns)};
}

}  // namespace

bool ack_missing(const Case& one, Findings& findings) {
    for (const Request& invite : one.call().requests) {
        const Response* answer = repeated_answer(invite);
        if (answer == nullptr) continue;
        const Request* same_hop = nullptr;
        const Request* elsewhere = nullptr;
        for (const Request& ack : one.call().requests) {
            if (ack.method != "ACK" || ack.cseq != invite.cseq || ack.sender != invite.sender) continue;
            (ack.destination == invite.destination ? same_hop : elsewhere) = &ack;
        }
        if (same_hop != nullptr && answer->last_ns < same_hop->first_ns + 3 * second_ns) continue;  // it was late
        if (elsewhere != nullptr && same_hop == nullptr && unreachable(one, elsewhere->destination)) {
            findings.add(ack_to_contact(*answer, elsewhere));
            return false;
        }
        if (same_hop == nullptr && leads_nowhere(one, *answer)) {
            findings.add(ack_to_contact(*answer, nullptr));
            return false;
        }
        findings.add({.cause = Cause::ack_lost,
                      .sentence = "The 200 of the INVITE (frame " + std::to_string(answer->frame) + ") was sent " +
                                  times(answer->copies) + " by " + to_string(invite.destination) + ": " +
                                  (same_hop != nullptr
                                       ? "the ACK in frame " + std::to_string(same_hop->frame) + " does not get there."
                                       : "no ACK for it is in the capture."),
                      .change =
                          "See where the ACK goes: to the Contact of the 200, along its Record-Route. A proxy that "
                          "changes the Contact must take it back in the ACK.",
                      .confidence = same_hop != nullptr ? Confidence::inferred : Confidence::seen,
                      .frames = {answer->frame}});
        return false;
    }
    return false;
}

/// Who was to refresh it did not, and the other one ended the call when its time was over.
bool session_ran_out(const Case& one, Findings& findings) {
    const auto session = last_session(one.call());
    const Request* bye = first_bye(one.call());
    if (!session || bye == nullptr || bye->sender == session->refresher || !in_time(*session, *bye)) return false;
    findings.add({.cause = Cause::session_expired,
                  .sentence = "The session timer (" + std::to_string(session->seconds) + " s, RFC 4028) ran out: " +
                              name(session->refresher) + " was to refresh what was agreed in frame " +
                              std::to_string(session->frame) + ", and no refresh of it is in the capture.",
                  .change = "Look why " + name(session->refresher) +
                            " sends no refresh, or where it is lost: capture at its side. Timers can be switched off "
                            "(Asterisk: timers=no; FreeSWITCH: enable-timer false).",
                  .confidence = says_so(*bye) ? Confidence::seen : Confidence::inferred,
                  .frames = {session->frame, bye->frame},
                  .from_s = one.at(bye->first_ns)});
    return false;
}

/// A refresh that nobody answered: then the session ends.
bool session_not_refreshed(const Case& one, Findings& findings) {
    const std::uint32_t timer = session_expires(one.call());
    if (timer == 0) return false;
    const auto& requests = one.call().requests;
    if (std::ranges::none_of(requests, [](const Request& request) { return refreshes(request) && lost(request); }))
        return session_ran_out(one, findings);
    for (const Request& request : one.call().requests) {
        if (!refreshes(request) || !lost(request)) continue;
        const Request& far = where_lost(one.call(), request);
        findings.add({.cause = Cause::session_expired,
                      .sentence = "The session timer (" + std::to_string(timer) +
                                  " s, RFC 4028) could not be renewed: " + title(one, far) + " " + fate(one, far),
                      .change = "Keep the NAT's mapping for signalling open during calls ([pinger] udp_interval, or "
                                "keepalives of the phone), and Record-Route at the proxy.",
                      .frames = {request.frame, far.frame, far.last_frame},
                      .from_s = one.at(request.first_ns)});
        return false;
    }
    return false;
}

bool in_dialog_request_lost(const Case& one, Findings& findings) {
    const Finding* root = nullptr;
    for (const Finding& finding : findings.all()) {
        const bool same_way = finding.cause == Cause::session_expired || finding.cause == Cause::ack_unreachable ||
                              finding.cause == Cause::connection_gone || finding.cause == Cause::fragments_lost;
        if (root == nullptr && same_way) root = &finding;
    }
    for (const Request& request : one.call().requests) {
        if (!lost(request) || (findings.has(Cause::session_expired) && refreshes(request))) continue;
        Finding found = lost_request(one, request);
        if (root != nullptr) {  // it goes the same way, and gets no further
            found.follows_from = root->cause;
            found.change = "Nothing to repair here: it is a consequence.";
        }
        findings.add(std::move(found));
        return false;
    }
    return false;
}

}  // namespace natkit::diagnose
