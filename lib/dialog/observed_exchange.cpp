#include "natkit/dialog/observed_exchange.hpp"

namespace natkit::dialog {

using Kind = ObservedMessage::Kind;

std::optional<Kind> kind_of_message(std::string_view method, bool request) noexcept {
    if (method == "INVITE") return request ? Kind::invite : Kind::invite_response;
    if (method == "PRACK" || method == "UPDATE") {
        if (!request) return Kind::other_response;
        return method == "PRACK" ? Kind::prack : Kind::other_request;
    }
    if (method == "ACK" && request) return Kind::ack;
    return std::nullopt;
}

Role ObservedExchange::observe(const ObservedMessage& message) noexcept {
    if (message.kind == Kind::invite && !message.described) expect_late_offer(message.from, message.cseq);
    if (!message.described) return Role::neither;
    switch (message.kind) {
        case Kind::invite_response:
        case Kind::other_response: return on_response(message);
        case Kind::ack:
            if (state_.exchange.in_ack(message.from, message.cseq) != Role::answer) return Role::neither;
            return answered_by(name(message.from, message.cseq));
        default: return on_request(message);
    }
}

void ObservedExchange::expect_late_offer(End requester, std::uint32_t cseq) noexcept {
    const std::uint64_t invite = name(requester, cseq);
    if (state_.late == invite) return;
    state_.late = invite;
    state_.answerer.reset();
    if (state_.exchange.answered()) (void)state_.exchange.close();
}

void ObservedExchange::refuse(End requester, std::uint32_t cseq) noexcept {
    const std::uint64_t request = name(requester, cseq);
    if (state_.crossed && state_.crossed->owner == request) state_.crossed.reset();
    if (!state_.exchange.owned_by(request)) return;
    state_.exchange = Exchange(state_.crossed, false);
    state_.crossed.reset();
}

Role ObservedExchange::open(const Offer& offer) noexcept {
    Exchange& exchange = state_.exchange;
    if (exchange.pending() == offer) return Role::offer;  // it comes again
    state_.crossed = exchange.answered() ? std::nullopt : exchange.pending();
    exchange.open(offer);
    return Role::offer;
}

/// Whose answer it is, in a PRACK or an ACK: what another one has is none any more.
Role ObservedExchange::answered_by(std::uint64_t request) noexcept {
    if (state_.answerer.value_or(request) != request) return Role::neither;
    state_.answerer = request;
    state_.exchange.answer();
    return Role::answer;
}

Role ObservedExchange::on_request(const ObservedMessage& message) noexcept {
    const std::uint64_t request = name(message.from, message.cseq);
    // RFC 3262 section 5: a reliable provisional response has the offer, its PRACK the answer; the next one may offer.
    const bool prack = message.kind == Kind::prack;
    const bool answers = prack && state_.exchange.in_request(message.from, prack) == Role::answer;
    if (answers && answered_by(request) == Role::answer) return Role::answer;
    if (state_.answerer == request) return Role::neither;  // a late copy
    return open({.offerer = message.from, .owner = request, .cseq = message.cseq});
}

/// RFC 3261 section 12.1: each To-tag makes a dialog of its own, where the INVITE's offer has its own answer, or which
/// makes its own offer. What came of another one does not count.
void ObservedExchange::follow_fork(const Offer& of_invite, std::uint64_t fork) noexcept {
    if (state_.fork != 0 && state_.fork != fork) {
        state_.crossed.reset();
        state_.answerer.reset();
        state_.exchange = state_.late == of_invite.owner ? Exchange() : Exchange(of_invite, false);
    }
    state_.fork = fork;
}

Role ObservedExchange::on_response(const ObservedMessage& message) noexcept {
    const End requester = other(message.from);
    const Offer asked{.offerer = requester, .owner = name(requester, message.cseq), .cseq = message.cseq};
    const bool invite = message.kind == Kind::invite_response;
    if (invite && message.fork != 0) follow_fork(asked, message.fork);
    Exchange& exchange = state_.exchange;
    // The offer that was crossed was accepted.
    if (state_.crossed && state_.crossed->owner == asked.owner) exchange = Exchange(state_.crossed, false);
    if (invite && state_.late == asked.owner && !state_.answerer)
        return open({.offerer = message.from, .owner = asked.owner, .cseq = message.cseq, .in_response = true});
    const Role role = exchange.in_response(message.from, asked.owner, false);
    if (role != Role::answer) return Role::neither;
    state_.crossed.reset();
    exchange.answer();
    return role;
}

}  // namespace natkit::dialog
