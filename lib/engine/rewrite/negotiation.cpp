#include "negotiation.hpp"

#include <algorithm>
#include <string_view>

#include "natkit/base/hash.hpp"
#include "natkit/base/text.hpp"

namespace natkit::rewrite {
namespace {

constexpr std::size_t most_branches = 64;
constexpr std::size_t longest_kept = 64;
constexpr std::string_view final_mark = " final";

using dialog::End;
using dialog::ObservedExchange;
using Kind = dialog::ObservedMessage::Kind;

End end_of(const Reading& reading) {
    return reading.side == 0 ? End::caller : End::callee;
}

std::string fingerprint(std::string_view text) {
    return text::hex(hash::mix(hash::fnv(hash::fnv_basis, text)), 16);
}

/// The text itself, or what stands for it.
std::string kept(std::string_view text) {
    const bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
    return plain && text.size() <= longest_kept ? std::string(text) : "#" + fingerprint(text);
}

std::string branch_of(const sip::Message& message) {
    const auto& via = message.top_via();
    return fingerprint(via ? std::string_view(via->branch) : std::string_view());
}

/// The method of the transaction: of a response that in CSeq.
std::string method_of(const sip::Message& message) {
    if (message.is_request()) return std::string(message.method());
    const auto& cseq = message.cseq();
    return cseq ? cseq->method : std::string();
}

/// What a message is, beside what the state of its call makes of it.
struct Facts {
    std::string method;
    std::string from;
    std::string to;
    bool request = false;
    bool described = false;
    bool invite = false;  ///< an INVITE, or a response to one
    std::uint32_t number = 0;
    std::optional<Kind> kind;  ///< nothing: neither offers nor answers come in it

    explicit Facts(const sip::Message& message)
        : method(method_of(message)),
          from(kept(message.from_tag())),
          to(kept(message.to_tag())),
          request(message.is_request()),
          described(!message.body().empty()),
          invite(method == "INVITE"),
          number(message.cseq() ? message.cseq()->number : 0),
          kind(dialog::kind_of_message(method, request)) {}

    /// The tag of the end that is not on side 0.
    [[nodiscard]] const std::string& peer(const CallState& state) const { return to == state.first_tag ? from : to; }
};

void read_names(Reading& reading, CallState& state, const sip::Message& message, const Facts& facts) {
    if (state.first_tag.empty() && facts.described && facts.kind)
        state.first_tag = facts.request ? facts.from : facts.to;
    reading.side = facts.request == (facts.from == state.first_tag) ? 0 : 1;
    reading.sender_tag = facts.request ? facts.from : facts.to;
    const End sender = end_of(reading);
    reading.exchange = ObservedExchange::name(facts.request ? sender : other(sender), facts.number);
    reading.transaction = std::to_string(facts.number) + " " + kept(facts.method) +
                          (facts.request ? " request" : " response " + facts.to);
    if (!facts.request && message.status() >= 200) reading.transaction += final_mark;
}

/// What its description is. `fork`: of a response to the INVITE that may fork.
void read_role(Reading& reading, CallState& state, const Facts& facts, std::uint64_t fork) {
    if (!facts.kind) return;
    reading.role = state.offers.observe({.kind = *facts.kind,
                                         .from = end_of(reading),
                                         .cseq = facts.number,
                                         .described = facts.described,
                                         .fork = fork});
    const auto& open = state.offers.state().exchange.pending();
    if (reading.role == dialog::Role::answer && open) reading.exchange = open->owner;
}

/// After a fork each branch that answers has a dialog of its own, and the description was shown to all: the first 2xx
/// has the legs, and what the others say changes nothing. A later offer inside another dialog shows that the caller
/// kept that one.
void read_dialog(Reading& reading, CallState& state, const Facts& facts) {
    const std::string& peer = facts.peer(state);
    if (!state.established || peer == state.peer_tag) return;
    const bool same_first = facts.from == state.first_tag || facts.to == state.first_tag;
    const bool goes_on = facts.request && facts.described && !facts.to.empty() && same_first;
    if (goes_on && (facts.invite || facts.method == "UPDATE")) {
        state.peer_tag = peer;
    } else if (!facts.request ? facts.invite : facts.method == "ACK" || facts.method == "BYE") {
        reading.other_dialog = true;
    }
}

void read_request(Reading& reading, CallState& state, const sip::Message& message, const Facts& facts) {
    if (facts.method == "BYE" && !reading.other_dialog) reading.outcome = Outcome::ended;
    if (facts.invite && !state.established && state.branches.size() < most_branches)
        state.branches.insert(branch_of(message));
    if (reading.other_dialog) return;
    read_role(reading, state, facts, 0);
    reading.concludes = reading.role == dialog::Role::answer;
}

/// A refusal ends a call that nobody has answered once it is that of the last branch; afterwards it only means that an
/// offer was rejected (RFC 3261 section 14.1). A CANCEL ends nothing: the 487 that follows does, or a 2xx was faster.
void read_refusal(Reading& reading, CallState& state, const sip::Message& message, const Facts& facts) {
    const End requester = other(end_of(reading));
    if (state.established || !facts.invite) {
        reading.outcome = Outcome::rolled_back;
        return state.offers.refuse(requester, facts.number);
    }
    state.branches.erase(branch_of(message));
    if (state.branches.empty()) state.offers.refuse(requester, facts.number);
    const bool challenge = message.status() == 401 || message.status() == 407;
    if (!challenge && state.branches.empty()) reading.outcome = Outcome::ended;
}

void read_response(Reading& reading, CallState& state, const sip::Message& message, const Facts& facts, bool has_legs) {
    const int status = message.status();
    if (status >= 300) return read_refusal(reading, state, message, facts);
    // An INVITE with an offer would have had legs.
    if (facts.invite && facts.described && !has_legs)
        state.offers.expect_late_offer(other(end_of(reading)), facts.number);
    const bool may_fork = facts.invite && !state.established;
    read_role(reading, state, facts, may_fork ? hash::mix(hash::fnv(hash::fnv_basis, facts.to)) | 1U : 0);
    if (status < 200) {
        if (facts.invite && facts.described && !state.established && state.branches.size() < most_branches)
            state.branches.insert(branch_of(message));
        return;
    }
    if (facts.invite) {
        reading.establishes = !state.established;
        state.established = true;
        state.peer_tag = facts.peer(state);
        state.branches.clear();
    }
    reading.concludes = reading.role == dialog::Role::answer;
    if (reading.role == dialog::Role::neither) reading.outcome = Outcome::accepted;  // its answer has come before
}

}  // namespace

bool concerns_media(const sip::Message& message) {
    const std::string method = method_of(message);
    const bool described = !message.body().empty();
    const bool negotiates = dialog::kind_of_message(method, message.is_request()).has_value();
    if (message.is_request()) return method == "INVITE" || method == "BYE" || (negotiates && described);
    return negotiates && (described || message.status() >= 200);
}

Reading read(CallState& state, const sip::Message& message, bool has_legs) {
    const Facts facts(message);
    Reading reading;
    // RFC 3261 section 21.4.26: what a refusal describes is what there might have been.
    reading.negotiates = facts.kind.has_value() && (facts.request || message.status() < 300);
    read_names(reading, state, message, facts);
    read_dialog(reading, state, facts);
    if (facts.request) {
        read_request(reading, state, message, facts);
    } else if (facts.kind && !reading.other_dialog) {
        read_response(reading, state, message, facts, has_legs);
    }
    const std::string& taken = state.described[reading.side];
    // A provisional response that arrives after the final one says nothing new.
    const bool repeated = taken == reading.transaction || (!facts.request && message.status() < 200 &&
                                                           taken == reading.transaction + std::string(final_mark));
    reading.nothing_new = repeated || reading.role == dialog::Role::neither;
    return reading;
}

}  // namespace natkit::rewrite
