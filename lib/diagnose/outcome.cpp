#include <algorithm>

#include "natkit/diagnose/diagnose.hpp"
#include "natkit/diagnose/table.hpp"

/// How it ended.
namespace natkit::diagnose {
namespace {

bool begins(const Call& call, const Request& request) {
    return call.registration ? request.method == "REGISTER"
                             : request.method == "INVITE" && !request.in_dialog && request.sender == End::caller;
}

/// A BYE that its receiver never answered, on any hop. Over TCP nobody sends it again.
bool bye_lost(const Call& call, bool connection_gone) {
    bool lost = false;
    for (const Request& one : call.requests) {
        if (one.method != "BYE") continue;
        if ((one.status == 0 && (one.copies >= 2 || (one.tcp && connection_gone))) || one.status == 408) {
            lost = true;
        } else if (one.vias > 1 || one.status == 481) {
            return false;  // it got there
        }
    }
    return lost;
}

/// A request of the dialog was lost that is not in the capture, as nothing of the dialog is: it can only be a BYE.
bool bye_unseen(const Call& call, const Findings& findings) {
    return findings.has(Cause::request_lost) &&
           std::ranges::none_of(call.requests, [](const Request& one) { return one.in_dialog; });
}

/// A proxy has sent it on again and again, and nobody answered: it gives up by 408 (RFC 3261 section 16.8).
bool given_up_by_proxy(const Call& call) {
    return std::ranges::any_of(call.requests, [&](const Request& one) {
        return begins(call, one) && one.vias > 1 && one.status == 0 && one.copies >= 3;
    });
}

}  // namespace

const char* to_string(Outcome outcome) noexcept {
    switch (outcome) {
        case Outcome::answered: return "answered";
        case Outcome::refused: return "refused";
        case Outcome::no_answer: return "no_answer";
        case Outcome::dropped: return "dropped";
        case Outcome::hung: return "hung";
    }
    return "";
}

/// Of the last request, on the hop nearest to who sent it.
int last_status(const Call& call) {
    const Request* best = nullptr;
    for (const Request& one : call.requests) {
        if (!begins(call, one) || one.final() == nullptr) continue;
        const bool later = best == nullptr || one.cseq > best->cseq;
        if (later || (one.cseq == best->cseq && one.vias < best->vias)) best = &one;
    }
    return best == nullptr ? 0 : best->final()->status;
}

Outcome outcome_of(const Case& one, const Findings& findings) {
    const Call& call = one.call();
    const int status = last_status(call);
    if (call.registration) {
        if (findings.has(Cause::rport_missing)) return Outcome::no_answer;
        return status == 0 ? Outcome::no_answer : status < 300 ? Outcome::answered : Outcome::refused;
    }
    if (call.answered) {
        for (const Cause cause : {Cause::ack_lost, Cause::ack_unreachable, Cause::session_expired, Cause::hung_up})
            if (findings.has(cause)) return Outcome::dropped;
        return bye_lost(call, findings.has(Cause::connection_gone)) || bye_unseen(call, findings) ? Outcome::hung
                                                                                                  : Outcome::answered;
    }
    const int failure = status != 0 ? status : call.failure;
    if (failure != 480 && failure != 487 && failure != 0) return Outcome::refused;
    const bool unreached = findings.has(Cause::connection_gone) || findings.has(Cause::not_reachable) ||
                           (failure == 0 && given_up_by_proxy(call) &&
                            (findings.has(Cause::fragments_lost) || findings.has(Cause::binding_expired)));
    return unreached ? Outcome::refused : Outcome::no_answer;
}

}  // namespace natkit::diagnose
