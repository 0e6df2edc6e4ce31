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

/// RFC 3261 section 13.2.1, 3262 section 5, 3311 section 5.1: only these carry offers and answers.
bool carries_offers(std::string_view method) {
    return method == "INVITE" || method == "ACK" || method == "PRACK" || method == "UPDATE";
}

/// What a message is, beside what the state of its call makes of it.
struct Facts {
    std::string method;
    std::string from;
    std::string to;
    bool request = false;
    bool described = false;
    bool invite = false;  ///< an INVITE, or a response to one

    explicit Facts(const sip::Message& message)
        : method(method_of(message)),
          from(kept(message.from_tag())),
          to(kept(message.to_tag())),
          request(message.is_request()),
          described(!message.body().empty()),
          invite(method == "INVITE") {}

    /// The tag of the end that is not on side 0.
    [[nodiscard]] const std::string& peer(const CallState& state) const { return to == state.first_tag ? from : to; }
};

void read_names(Reading& reading, CallState& state, const sip::Message& message, const Facts& facts) {
    if (state.first_tag.empty() && facts.described && carries_offers(facts.method))
        state.first_tag = facts.request ? facts.from : facts.to;
    reading.side = facts.request == (facts.from == state.first_tag) ? 0 : 1;
    reading.sender_tag = facts.request ? facts.from : facts.to;
    const auto& cseq = message.cseq();
    const std::string number = std::to_string(cseq ? cseq->number : 0);
    const std::size_t asked_by = facts.request ? reading.side : 1 - reading.side;
    // The ACK has the number of its INVITE (RFC 3261 section 17.1.1.3).
    const std::string method = kept(facts.method == "ACK" ? std::string("INVITE") : facts.method);
    reading.exchange = std::to_string(asked_by) + " " + number + " " + method;
    reading.transaction = number + " " + kept(facts.method) + (facts.request ? " request" : " response " + facts.to);
    if (!facts.request && message.status() >= 200) reading.transaction += final_mark;
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
    if (facts.invite && !facts.described) {
        state.late_offer = reading.exchange;
        state.late_answer.clear();
    }
    // RFC 3262 section 5: a reliable provisional response has the offer, its PRACK the answer.
    const bool answers_late = facts.method == "PRACK" && facts.described && !state.late_offer.empty() &&
                              state.late_offer.front() == reading.exchange.front() &&
                              (state.late_answer.empty() || state.late_answer == reading.transaction);
    if (answers_late) {
        state.late_answer = reading.transaction;
        reading.exchange = state.late_offer;
    }
    reading.offers = facts.method != "ACK" && !answers_late;
    reading.concludes = !reading.offers;
}

/// A refusal ends a call that nobody has answered once it is that of the last branch; afterwards it only means that an
/// offer was rejected (RFC 3261 section 14.1). A CANCEL ends nothing: the 487 that follows does, or a 2xx was faster.
void read_refusal(Reading& reading, CallState& state, const sip::Message& message, const Facts& facts) {
    if (state.established || !facts.invite) {
        reading.outcome = Outcome::rolled_back;
        return;
    }
    state.branches.erase(branch_of(message));
    const bool challenge = message.status() == 401 || message.status() == 407;
    if (!challenge && state.branches.empty()) reading.outcome = Outcome::ended;
}

void read_response(Reading& reading, CallState& state, const sip::Message& message, const Facts& facts, bool has_legs) {
    const int status = message.status();
    // An INVITE with an offer would have had legs.
    if (facts.invite && facts.described && status < 300 && !has_legs && state.late_offer.empty())
        state.late_offer = reading.exchange;
    reading.offers = facts.invite && reading.exchange == state.late_offer;
    reading.concludes = !reading.offers && status >= 200 && status < 300;
    if (reading.other_dialog || !reading.negotiates) return;
    if (status >= 300) {
        reading.negotiates = false;  // RFC 3261 section 21.4.26: what it describes is what there might have been
        return read_refusal(reading, state, message, facts);
    }
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
    // Else it is accepted once the description has been taken.
    if (!facts.described) reading.outcome = Outcome::accepted;
}

}  // namespace

bool concerns_media(const sip::Message& message) {
    const std::string method = method_of(message);
    const bool described = !message.body().empty();
    if (message.is_request()) return method == "INVITE" || method == "BYE" || (carries_offers(method) && described);
    return carries_offers(method) && (described || message.status() >= 200);
}

Reading read(CallState& state, const sip::Message& message, bool has_legs) {
    const Facts facts(message);
    Reading reading;
    reading.negotiates = carries_offers(facts.method);
    read_names(reading, state, message, facts);
    read_dialog(reading, state, facts);
    if (facts.request) {
        read_request(reading, state, message, facts);
    } else {
        read_response(reading, state, message, facts, has_legs);
    }
    const std::string& taken = state.described[reading.side];
    // A provisional response that arrives after the final one says nothing new.
    reading.repeated = taken == reading.transaction || (!facts.request && message.status() < 200 &&
                                                        taken == reading.transaction + std::string(final_mark));
    return reading;
}

}  // namespace natkit::rewrite
