#include "natkit/engine/explain/decide_call.hpp"

#include <algorithm>

namespace natkit::explain {
namespace {

void merge(nat::Decision& whole, const nat::Decision& part) {
    if (part.relay && !whole.relay) whole.reasons.clear();  // reasons against do not count any more
    if (whole.relay && !part.relay) return;
    whole.relay = part.relay;
    for (const nat::Reason reason : part.reasons) {
        if (std::ranges::find(whole.reasons, reason) == whole.reasons.end()) whole.reasons.push_back(reason);
    }
}

record::Nat nat_of(const IpAddress& address, const nat::Networks& networks) {
    return {.verdict = nat::classify_address(address, networks),
            .received = address,
            .evidence = {},
            .nat_uac_test = {},
            .alg = {}};
}

/// `host`: of its URI in From or To.
nat::Whereabouts whereabouts(const record::Nat& nat, const std::string& host, const MediaDescription* stream,
                             const Rules& rules) {
    const bool named = stream != nullptr && stream->rtp;
    nat::Whereabouts where = nat::whereabouts(
        nat.verdict.place, nat.received, named ? std::optional(stream->rtp->address) : std::nullopt, rules.networks);
    if (stream != nullptr && !stream->rejected) where.family = stream->family;  // of a name, too
    where.asked_for = rules.policy.relay_for.names(host);
    return where;
}

/// The stream number `i` of a party as it wrote it and as it came to the other.
struct StreamPair {
    const MediaDescription* written = nullptr;
    const MediaDescription* delivered = nullptr;
};

StreamPair stream(const Call& call, End side, std::size_t i) {
    const auto at = [&](const SessionDescription* description) {
        return description != nullptr && i < description->streams.size() ? &description->streams[i] : nullptr;
    };
    return {.written = at(call.written(side)), .delivered = at(call.delivered(side))};
}

}  // namespace

std::optional<record::Decision> decide_call(const Call& call, const Rules& rules) {
    if (!call.caller && !call.callee) return std::nullopt;
    record::Decision result{
        .call_id = call.call_id, .decision = {}, .a = call.caller, .b = call.callee, .streams = {}, .relay_seen = {}};
    // A party that never sent anything is judged by the address it was called at.
    for (const SessionDescription& one : call.descriptions) {
        if (one.destination.address.is_unspecified()) continue;  // not even that is known
        if (!result.b && one.writer == End::caller) result.b = nat_of(one.destination.address, rules.networks);
        if (!result.a && one.writer == End::callee) result.a = nat_of(one.destination.address, rules.networks);
    }
    if (!result.a || !result.b) return std::nullopt;
    const auto decide = [&](const MediaDescription* a, const MediaDescription* b) {
        return nat::decide(whereabouts(*result.a, call.hosts[0], a, rules),
                           whereabouts(*result.b, call.hosts[1], b, rules), rules.policy, rules.networks);
    };
    const SessionDescription* offer = call.written(End::caller);
    const SessionDescription* answer = call.written(End::callee);
    const std::size_t streams =
        std::max(offer != nullptr ? offer->streams.size() : 0, answer != nullptr ? answer->streams.size() : 0);
    for (std::size_t i = 0; i < streams; ++i) {
        const StreamPair a = stream(call, End::caller, i);
        const StreamPair b = stream(call, End::callee, i);
        if ((a.written != nullptr && a.written->rejected) || (b.written != nullptr && b.written->rejected)) continue;
        const auto* known = a.written != nullptr ? a.written : b.written;
        if (known == nullptr) continue;
        record::StreamDecision one{.kind = known->kind};
        if (a.written != nullptr) one.a = a.written->rtp;
        if (b.written != nullptr) one.b = b.written->rtp;
        one.decision = decide(a.written, b.written);
        if (call.several_hops()) {
            const bool seen = (a.written != nullptr && a.delivered != nullptr && a.written->rtp != a.delivered->rtp) ||
                              (b.written != nullptr && b.delivered != nullptr && b.written->rtp != b.delivered->rtp);
            one.relay_seen = seen;
            result.relay_seen = result.relay_seen.value_or(false) || seen;
        }
        merge(result.decision, one.decision);
        result.streams.push_back(std::move(one));
    }
    if (result.streams.empty()) result.decision = decide(nullptr, nullptr);
    return result;
}

record::Decision decide_pair(const IpAddress& a, const IpAddress& b, const Rules& rules) {
    record::Decision result{.call_id = {},
                            .decision = {},
                            .a = nat_of(a, rules.networks),
                            .b = nat_of(b, rules.networks),
                            .streams = {},
                            .relay_seen = {}};
    result.decision = nat::decide(whereabouts(*result.a, {}, nullptr, rules),
                                  whereabouts(*result.b, {}, nullptr, rules), rules.policy, rules.networks);
    return result;
}

}  // namespace natkit::explain
