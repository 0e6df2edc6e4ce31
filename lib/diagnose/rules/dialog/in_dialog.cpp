#include <algorithm>

#include "../wording.hpp"
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
    for (const Request& one : call.requests) seconds = std::max(seconds, one.session_expires.value_or(0));
    return seconds;
}

bool refreshes(const Request& request) {
    return request.in_dialog && (request.method == "INVITE" || request.method == "UPDATE");
}

/// Never answered by its receiver, however often it was sent.
bool lost(const Request& request) {
    if (!request.in_dialog || request.method == "ACK") return false;
    return request.status == 408 || (request.copies >= few_copies && request.status == 0);
}

std::string why(const Case& one, const Request& request) {
    if (unreachable(one, request.destination))
        return to_string(request.destination) + " is a private address that cannot be reached from there" +
               (request.routed ? "." : ", and no Route leads back through a proxy.");
    return "nothing comes back from " + to_string(request.destination) + ".";
}

Finding lost_request(const Case& one, const Request& request) {
    const bool bye = request.method == "BYE";
    return {.cause = Cause::request_lost,
            .sentence = request.method + " of " + name(request.sender) + " (frame " + std::to_string(request.frame) +
                        ", " + tenths(one.at(request.first_ns)) + ") was sent " + times(request.copies) +
                        " and never answered: " + why(one, request) +
                        (bye ? " The other phone stays in the call." : std::string()),
            .change =
                "Record-Route at the proxy, with an address that each side can reach, so that requests within the "
                "call come back through it, and keep the NAT's mapping open ([pinger] udp_interval).",
            .frames = {request.frame, request.last_frame},
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

/// A refresh that nobody answered: then the session ends.
bool session_not_refreshed(const Case& one, Findings& findings) {
    const std::uint32_t timer = session_expires(one.call());
    if (timer == 0) return false;
    for (const Request& request : one.call().requests) {
        if (!refreshes(request) || !lost(request)) continue;
        findings.add({.cause = Cause::session_expired,
                      .sentence = "The session timer (" + std::to_string(timer) +
                                  " s, RFC 4028) could not be renewed: " + request.method + " of " +
                                  name(request.sender) + " at " + tenths(one.at(request.first_ns)) + " (frame " +
                                  std::to_string(request.frame) + ") was sent " + times(request.copies) +
                                  " and never answered, as " + why(one, request),
                      .change = "Keep the NAT's mapping for signalling open during calls ([pinger] udp_interval, or "
                                "keepalives of the phone), and Record-Route at the proxy.",
                      .frames = {request.frame, request.last_frame},
                      .from_s = one.at(request.first_ns)});
        return false;
    }
    return false;
}

bool in_dialog_request_lost(const Case& one, Findings& findings) {
    const Finding* root = nullptr;
    for (const Finding& finding : findings.all()) {
        const bool same_way = finding.cause == Cause::session_expired || finding.cause == Cause::ack_unreachable;
        if (root == nullptr && same_way) root = &finding;
    }
    for (const Request& request : one.call().requests) {
        if (!lost(request) || (findings.has(Cause::session_expired) && refreshes(request))) continue;
        Finding found = lost_request(one, request);
        if (root != nullptr) found.follows_from = root->cause;  // it goes the same way, and gets no further
        findings.add(std::move(found));
        return false;
    }
    return false;
}

}  // namespace natkit::diagnose
