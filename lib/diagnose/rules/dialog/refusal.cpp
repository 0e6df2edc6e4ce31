#include <algorithm>

#include "../wording.hpp"
#include "natkit/diagnose/table.hpp"

/// Calls that did not come to an answer.
namespace natkit::diagnose {
namespace {

/// The last INVITE that began the call, on the hop nearest to the caller that had a final response.
const Request* last_invite(const Call& call) {
    const Request* best = nullptr;
    for (const Request& one : call.requests) {
        if (one.method != "INVITE" || one.in_dialog || one.sender != End::caller) continue;
        if (best == nullptr || one.cseq > best->cseq || (one.cseq == best->cseq && one.vias < best->vias)) best = &one;
    }
    return best;
}

bool cancelled(const Call& call) {
    return std::ranges::any_of(call.requests, [](const Request& one) { return one.method == "CANCEL"; });
}

std::string codecs_of(const Call& call) {
    const SessionDescription* offer = call.written(End::caller);
    std::string all;
    if (offer == nullptr) return all;
    for (const MediaDescription& media : offer->streams) {
        for (const Format& format : media.formats) {
            if (all.size() < 120)
                all += (all.empty() ? "" : ", ") + (format.name.empty() ? std::to_string(format.number) : format.name);
        }
    }
    return all;
}

bool offers_encryption(const Call& call) {
    const SessionDescription* offer = call.written(End::caller);
    return offer != nullptr && std::ranges::any_of(offer->streams, [](const MediaDescription& media) {
               return media.encryption != Encryption::none;
           });
}

/// What people do, and no fault: busy, declined, not there.
bool by_people(int status) {
    return status == 486 || status == 600 || status == 603 || status == 480 || status == 487;
}

Finding without_credentials(const Request& invite, const Response& last) {
    return {.cause = Cause::refused,
            .sentence = "The call was refused: " + std::to_string(last.status) + " asks for credentials (frame " +
                        std::to_string(last.frame) + "), and the caller " +
                        (invite.credentials ? "had wrong ones: user name or password do not fit."
                                            : "did not try again with any."),
            .change =
                "Give the phone the user name and password of the server, or let the server take its calls "
                "without. No media was to flow: look at the signalling.",
            .status = last.status,
            .frames = {invite.frame, last.frame}};
}

Finding not_acceptable(const Call& call, const Request& invite, const Response& last) {
    const bool srtp = offers_encryption(call);
    return {.cause = srtp ? Cause::srtp_mismatch : Cause::no_common_codec,
            .sentence = "The call was refused before any media: " + std::to_string(last.status) + " " + last.reason +
                        " in frame " + std::to_string(last.frame) + ". Offered was " + codecs_of(call) +
                        (srtp ? " with SRTP: the other side does not encrypt, or must."
                              : ": the other side has none of these."),
            .change = srtp ? "Set both sides to the same: SRTP required or off."
                           : "Allow a codec on both sides (PCMA and PCMU are understood everywhere). No media was to "
                             "flow: look at the signalling.",
            .status = last.status,
            .frames = {invite.frame, last.frame}};
}

constexpr const char* caller_gave_up = "The caller gave up (CANCEL) before anybody answered.";
constexpr const char* if_it_rang = "Nothing to repair, if the phone rang.";

Finding given_up(const Request& invite, const Response& last) {
    return {.cause = Cause::cancelled,
            .sentence = caller_gave_up,
            .change = if_it_rang,
            .status = last.status,
            .frames = {invite.frame, last.frame}};
}

Finding nobody_there(const Request& invite, const Response& last) {
    return {
        .cause = Cause::not_answered,
        .sentence = "The call was not answered: 480 " + last.reason + " in frame " + std::to_string(last.frame) + ".",
        .change = "Look at the signalling: nobody was there, or nobody took it.",
        .status = 480,
        .frames = {invite.frame, last.frame}};
}

/// The caller calls another one now, in a call of its own or in this one (RFC 3261 section 8.1.3.4).
Finding redirected(const Request& invite, const Response& last) {
    const std::string where = last.contact ? " to " + to_string(*last.contact) : std::string(" elsewhere");
    return {.cause = Cause::refused,
            .sentence = "The call was sent" + where + " (" + std::to_string(last.status) + " " + last.reason +
                        " in frame " + std::to_string(last.frame) + "): a call there is another one.",
            .change = "Nothing to repair, if the caller calls there.",
            .harmless = true,
            .status = last.status,
            .frames = {invite.frame, last.frame}};
}

/// What a status means to people; empty: its phrase says it.
std::string meaning(int status) {
    switch (status) {
        case 403: return "whoever sent it does not allow it, whatever the credentials";
        case 404: return "there is no such user, or none that is registered";
        case 410: return "the user is there no more";
        case 413:
        case 513: return "the message is too large for a server";
        case 420: return "an extension is required that the other side does not know";
        case 482:
        case 483: return "the request goes in a circle";
        case 484: return "the number is not complete";
        case 500: return "a server failed";
        case 502:
        case 503: return "a server or gateway is overloaded, or out of service";
        default: return {};
    }
}

/// Where a proxy has sent the INVITE on, and what came back.
std::string waited_for(const Call& call, const Request& invite) {
    const Request* far = nullptr;
    for (const Request& one : call.requests) {
        const bool behind =
            one.method == "INVITE" && one.cseq == invite.cseq && one.vias > invite.vias && !one.in_dialog;
        if (behind && (far == nullptr || one.vias > far->vias)) far = &one;
    }
    if (far == nullptr) return ": a server waited in vain for the called party.";
    const bool rang = std::ranges::any_of(far->responses, [](const Response& one) { return one.status > 100; });
    const std::string sent =
        ": the INVITE was sent on to " + to_string(far->destination) + " (frame " + std::to_string(far->frame) + ")";
    if (rang) return sent + ", it rang there, and nobody answered.";
    return sent + " " + times(far->copies) + ", and " + (far->status == 0 ? "nothing" : "no answer") + " came back.";
}

Finding other_refusal(const Call& call, const Request& invite, const Response& last) {
    const bool time_out = last.status == 408 || last.status == 504;
    const std::string means = meaning(last.status);
    return {.cause = time_out ? Cause::timed_out : Cause::refused,
            .sentence = "The call was refused (" + std::to_string(last.status) + " " + last.reason + " in frame " +
                        std::to_string(last.frame) + ") before any media" +
                        (time_out        ? waited_for(call, invite)
                         : means.empty() ? std::string(".")
                                         : ": " + means + "."),
            .change = by_people(last.status)
                          ? "Look at the signalling: no media was to flow."
                          : "Look at the signalling, and at the log of " + to_string(invite.destination) +
                                ", from where it came: no media was to flow.",
            .harmless = by_people(last.status),
            .status = last.status,
            .frames = {invite.frame, last.frame}};
}

/// What is known to have gone wrong with the signalling, or null: then that is why the call was not answered.
const Finding* reason(const Findings& findings) {
    const auto all = findings.all();
    const auto found = std::ranges::find_if(
        all, [](const Finding& finding) { return !harmless(finding) && finding.cause != Cause::alg_damage; });
    return found == all.end() ? nullptr : &*found;
}

Finding refusal(const Call& call, const Request& invite, const Response& last) {
    if (last.status < 400) return redirected(invite, last);
    if (last.status == 401 || last.status == 407) return without_credentials(invite, last);
    if (last.status == 488 || last.status == 606 || last.status == 415) return not_acceptable(call, invite, last);
    if (last.status == 487 && cancelled(call)) return given_up(invite, last);
    if (last.status == 480) return nobody_there(invite, last);
    return other_refusal(call, invite, last);
}

}  // namespace

bool call_refused(const Case& one, Findings& findings) {
    const Call& call = one.call();
    if (call.answered) return false;
    const Request* invite = last_invite(call);
    const Response* last = invite == nullptr ? nullptr : invite->final();
    if (last == nullptr || last->status < 300) return false;
    Finding found = refusal(call, *invite, *last);
    if (const Finding* root = reason(findings)) found.follows_from = root->cause;
    findings.add(std::move(found));
    return true;
}

/// Without any final response.
bool no_media_due(const Case& one, Findings& findings) {
    const Call& call = one.call();
    if (call.answered || one.media_seen()) return false;
    const Finding* root = reason(findings);
    const bool known =
        std::ranges::any_of(findings.all(), [](const Finding& finding) { return finding.cause != Cause::alg_damage; });
    if (cancelled(call) && (root != nullptr || !known)) {
        findings.add({.cause = Cause::cancelled,
                      .sentence = caller_gave_up,
                      .change = if_it_rang,
                      .follows_from = root != nullptr ? std::optional(root->cause) : std::nullopt});
    } else if (known) {
        return true;  // that is why
    } else if (call.failure != 0) {
        findings.add({.cause = by_people(call.failure) ? Cause::not_answered : Cause::refused,
                      .sentence = "The call was refused (" + std::to_string(call.failure) + ") before any media.",
                      .change = "Look at the signalling: no media was to flow.",
                      .status = call.failure});
    } else {
        findings.add({.cause = Cause::not_answered,
                      .sentence = "The capture has an offer and no final answer: no media was to flow yet.",
                      .change = "Look at the signalling: is the phone ringing, or is the answer lost?"});
    }
    return true;
}

}  // namespace natkit::diagnose
