#include "natkit/engine/explain/hops.hpp"

#include <algorithm>
#include <utility>

namespace natkit::explain {
namespace {

constexpr std::size_t most_tracked = 4096;
constexpr std::size_t most_hops = 64;
constexpr std::size_t most_around = 64;
constexpr std::size_t most_streams_of_call = 16;

std::vector<MediaDescription> streams_of(const MessageFacts& facts) {
    std::vector<MediaDescription> streams;
    if (facts.descriptions.empty()) return streams;
    const sdp::Document& document = facts.descriptions.front();
    for (const sdp::Media& media : document.media()) {
        if (streams.size() >= most_streams_of_call) break;
        streams.push_back(media_description(document, media));
    }
    return streams;
}

std::string branch_of(const sip::Message& message, std::size_t number) {
    const auto vias = message.values(sip::Name::via);
    if (number >= vias.size()) return {};
    const auto via = sip::Via::parse(vias[number]);
    return via ? via->branch : std::string();
}

}  // namespace

bool Exchange::answered() const {
    return std::ranges::any_of(hops, [](const Hop& hop) { return !hop.onward.empty() && !hop.back.empty(); });
}

void HopTracker::on_message(const MessageSeen& seen) {
    if (seen.copy || !seen.arrival.destination) return;
    const auto& cseq = seen.message.cseq();
    const bool request = seen.message.is_request();
    const auto kind = cseq ? dialog::kind_of_message(cseq->method, request) : std::nullopt;
    std::string id(seen.message.call_id());
    if (!kind || id.empty() || id.size() > 1024) return;
    const std::string from_tag(seen.message.from_tag());
    const std::string key = from_tag + "\n" + std::to_string(cseq->number);
    auto found = calls_.find(id);
    if (found == calls_.end()) {
        if (kind != dialog::ObservedMessage::Kind::invite) return;
        if (calls_.size() >= most_tracked) hand_out(most_tracked / 2);
        found = calls_.emplace(id, CallSeen{}).first;
        found->second.caller_tag = from_tag;
        order_.push_back(id);
    }
    CallSeen& call = found->second;
    const int status = seen.message.status();
    if (!request && (status <= 100 || status >= 300)) return;
    const dialog::Role role = call.offers.observe(
        {.kind = *kind,
         .from = request == (from_tag == call.caller_tag) ? dialog::End::caller : dialog::End::callee,
         .cseq = cseq->number,
         .described = !seen.facts.descriptions.empty()});
    if (request) {
        on_request(call, seen, key, role);
    } else if (role == dialog::Role::offer || role == dialog::Role::answer) {
        on_response(call, seen, key);
    }
}

/// Onto the hop by which the ACK or PRACK travels.
void HopTracker::take_late_answer(CallSeen& call, const MessageSeen& seen,
                                  const std::vector<MediaDescription>& streams) {
    call.open.last_ns = std::max(call.open.last_ns, seen.time_ns);
    for (Hop& hop : call.open.hops) {
        const bool here =
            hop.from.address == seen.arrival.source.address && hop.to.address == seen.arrival.destination->address;
        if (here && hop.onward.empty()) hop.onward = streams;
    }
}

void HopTracker::on_request(CallSeen& call, const MessageSeen& seen, const std::string& key, dialog::Role role) {
    auto streams = streams_of(seen.facts);
    if (role == dialog::Role::answer) return take_late_answer(call, seen, streams);
    if (role != dialog::Role::offer && seen.message.method() != "INVITE") return;
    if (call.open_key != key) {
        if (call.open.answered()) call.answered = std::move(call.open);
        call.open = {.call_id = std::string(seen.message.call_id()),
                     .first_ns = seen.time_ns,
                     .last_ns = seen.time_ns,
                     .hops = {},
                     .hosts = hosts_of(seen.message)};
        call.open_key = key;
    }
    call.open.last_ns = std::max(call.open.last_ns, seen.time_ns);
    std::string branch = branch_of(seen.message, 0);
    const bool again = std::ranges::any_of(call.open.hops, [&](const Hop& hop) { return hop.branch == branch; });
    if (again || call.open.hops.size() >= most_hops) return;
    call.open.hops.push_back({.frame = seen.frame,
                              .from = seen.arrival.source,
                              .to = *seen.arrival.destination,
                              .from_place = seen.nat.verdict.place,
                              .to_place = {},
                              .branch = std::move(branch),
                              .previous_branch = branch_of(seen.message, 1),
                              .onward = std::move(streams),
                              .back = {}});
}

/// An offer, or the answer to the request's: until a later one takes its place, what the hop brings back.
void HopTracker::on_response(CallSeen& call, const MessageSeen& seen, const std::string& key) {
    if (call.open_key != key) return;
    const std::string branch = branch_of(seen.message, 0);
    for (Hop& hop : call.open.hops) {
        if (hop.branch != branch) continue;
        hop.back = streams_of(seen.facts);
        if (seen.nat.verdict.place == nat::Place::far_end) hop.to_place = nat::Place::far_end;
    }
    call.open.last_ns = std::max(call.open.last_ns, seen.time_ns);
}

const Exchange* HopTracker::CallSeen::last_answered() const {
    return open.answered() ? &open : answered ? &*answered : nullptr;
}

std::vector<Exchange> HopTracker::around(const std::string& call_id) const {
    std::vector<Exchange> exchanges;
    const auto found = calls_.find(call_id);
    const Exchange* own = found == calls_.end() ? nullptr : found->second.last_answered();
    if (own == nullptr) return exchanges;
    exchanges.push_back(*own);
    for (const std::string& id : order_) {
        const Exchange* other = id == call_id ? nullptr : calls_.at(id).last_answered();
        if (other == nullptr || other->first_ns > own->last_ns || own->first_ns > other->last_ns) continue;
        exchanges.push_back(*other);
        if (exchanges.size() >= most_around) break;
    }
    return exchanges;
}

void HopTracker::hand_out(std::size_t count) {
    std::vector<Exchange> exchanges;
    for (; count > 0 && !order_.empty(); --count) {
        auto node = calls_.extract(order_.front());
        order_.pop_front();
        if (const Exchange* one = node.mapped().last_answered()) exchanges.push_back(*one);
    }
    if (on_exchanges && !exchanges.empty()) on_exchanges(std::move(exchanges));
}

void HopTracker::finish() {
    hand_out(calls_.size());
}

}  // namespace natkit::explain
