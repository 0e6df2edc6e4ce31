#include <algorithm>

#include "../wording.hpp"
#include "natkit/diagnose/table.hpp"

/// What a registrar said, and what became of it.
namespace natkit::diagnose {
namespace {

const Response* last_final(const Call& call, const Request** of) {
    const Response* last = nullptr;
    for (const Request& request : call.requests) {
        const Response* final = request.final();
        if (request.method != "REGISTER" || final == nullptr) continue;
        if (last != nullptr && final->first_ns < last->first_ns) continue;
        last = final;
        *of = &request;
    }
    return last;
}

/// It answers a challenge of the same call; else its credentials may be old ones.
bool challenged_before(const Call& call, const Request& request) {
    return std::ranges::any_of(call.requests, [&](const Request& one) {
        return one.method == request.method && one.cseq < request.cseq && (one.status == 401 || one.status == 407);
    });
}

/// Without credentials again, though the last one was challenged: it has none.
bool has_none(const Call& call, const Request& request) {
    const Request* before = nullptr;
    for (const Request& one : call.requests) {
        if (one.method != request.method || one.cseq >= request.cseq) continue;
        if (before == nullptr || one.cseq > before->cseq) before = &one;
    }
    return before != nullptr && !request.credentials && !before->credentials &&
           (before->status == 401 || before->status == 407);
}

std::string how_it_ended(const Registration& registration, std::int64_t call_ns) {
    const std::string frame = " in frame " + std::to_string(registration.frame);
    const std::string ago = seconds(call_ns - registration.time_ns) + " before";
    switch (registration.state) {
        case Registration::State::removed: return "it removed its registration" + frame + ", " + ago;
        case Registration::State::expired:
            return "its registration" + frame + " was for " + std::to_string(registration.expires) +
                   " s and was not renewed; that was " + ago;
        case Registration::State::refused:
            return "its last REGISTER was refused with " + std::to_string(registration.status) + frame +
                   (registration.credentials ? " though it had credentials: a wrong password" : "");
        case Registration::State::registered: break;
    }
    return {};
}

}  // namespace

bool registration_failed(const Case& one, Findings& findings) {
    if (!one.call().registration) return false;
    const Request* request = nullptr;
    const Response* last = last_final(one.call(), &request);
    if (last == nullptr || last->status < 300 || findings.has(Cause::rport_missing)) return true;
    const bool challenge = last->status == 401 || last->status == 407;
    const bool wrong_password = request->credentials && (challenge || last->status == 403);
    const bool tries_again = last->stale || (!request->credentials && !has_none(one.call(), *request)) ||
                             (request->credentials && !challenged_before(one.call(), *request));
    if (challenge && tries_again && last->last_ns + 5 * second_ns > one.facts().capture_end_ns) return true;
    if (last->stale) return true;
    findings.add({.cause = Cause::refused,
                  .sentence = "REGISTER of " + one.call().names[1] + " was refused: " + std::to_string(last->status) +
                              " " + last->reason + " in frame " + std::to_string(last->frame) +
                              (wrong_password ? ", though it had credentials: the user name or the password is wrong."
                               : challenge    ? ", and the phone did not try again with credentials."
                                              : "."),
                  .change = wrong_password || challenge
                                ? "Compare user name, realm and password of the phone with those of the server."
                                : "Look at the registrar's log for why.",
                  .status = last->status,
                  .frames = {request->frame, last->frame}});
    return true;
}

/// The reason of a 404 or 480 that the capture tells.
bool callee_not_registered(const Case& one, Findings& findings) {
    const Call& call = one.call();
    const auto& known = call.callee_registration;
    const bool fits = call.failure == 404 || call.failure == 480 || call.failure == 410 || call.failure == 408;
    if (call.answered || !fits || !known || known->state == Registration::State::registered) return false;
    findings.add({.cause = Cause::not_registered,
                  .sentence = "The call failed (" + std::to_string(call.failure) + "), for " + call.names[1] +
                              " was not registered: " + how_it_ended(*known, call.first_ns) + ".",
                  .change = known->state == Registration::State::refused
                                ? "Compare user name, realm and password of the phone with those of the server."
                                : "Let the phone renew its registration before it ends, and look why it did not.",
                  .status = call.failure,
                  .frames = {known->frame}});
    return false;
}

}  // namespace natkit::diagnose
