#include "natkit/proxy/flood.hpp"

#include <algorithm>
#include <chrono>

#include "natkit/nat/networks.hpp"

namespace natkit::proxy {
namespace {

constexpr std::chrono::minutes tell_again{1};

}  // namespace

const char* to_string(FloodGate::Verdict verdict) noexcept {
    constexpr const char* words[] = {"pass", "flow", "source", "strangers"};
    return words[static_cast<int>(verdict)];
}

void FloodGate::Bucket::fill(const Rate& rate, Instant now) {
    const std::chrono::duration<double> passed = now - at;
    level = std::min(rate.burst, level + std::max(passed.count(), 0.0) * rate.per_second);
    at = now;
}

bool FloodGate::Bucket::take(const Rate& rate, Instant now) {
    fill(rate, now);
    if (level < 1) return false;
    level -= 1;
    return true;
}

/// A new bucket is full. When there are too many, those that have filled up again say nothing and go; if that does not
/// help, all do: a flood from everywhere is met by the strangers' common bucket.
FloodGate::Bucket& FloodGate::bucket(Buckets& buckets, const Key& key, const Rate& rate, Instant now) const {
    const auto known = buckets.find(key);
    if (known != buckets.end()) return known->second;
    if (buckets.size() >= limits_.remembered) {
        std::erase_if(buckets, [&](const auto& entry) {
            Bucket filled = entry.second;
            filled.fill(rate, now);
            return filled.level >= rate.burst;
        });
        if (buckets.size() > limits_.remembered / 2) buckets.clear();
    }
    return buckets.emplace(key, Bucket{.level = rate.burst, .at = now}).first->second;
}

FloodGate::Verdict FloodGate::admit(const Endpoint& remote, std::uint64_t connection, bool registered, Instant now) {
    Verdict verdict = Verdict::pass;
    if (!bucket(flows_, {.remote = remote, .connection = connection}, limits_.flow, now).take(limits_.flow, now)) {
        verdict = Verdict::flow;
    } else if (!registered) {
        const Key address{.remote = {.address = nat::source_of(remote.address), .port = 0}, .connection = 0};
        if (strangers_.level < 0) strangers_ = {.level = limits_.strangers.burst, .at = now};
        if (!bucket(sources_, address, limits_.source, now).take(limits_.source, now)) {
            verdict = Verdict::source;
        } else if (!strangers_.take(limits_.strangers, now)) {
            verdict = Verdict::strangers;
        }
    }
    if (verdict != Verdict::pass) ++refused_;
    return verdict;
}

bool FloodGate::first_refusal(const IpAddress& address, Instant now) {
    const Key key{.remote = {.address = nat::source_of(address), .port = 0}, .connection = 0};
    if (told_.size() >= 1'000) std::erase_if(told_, [now](const auto& entry) { return entry.second <= now; });
    if (told_.size() >= 1'000) return false;
    const auto [entry, fresh] = told_.try_emplace(key, now + tell_again);
    if (!fresh && entry->second > now) return false;
    entry->second = now + tell_again;
    return true;
}

}  // namespace natkit::proxy
