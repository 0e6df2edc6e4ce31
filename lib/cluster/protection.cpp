#include "natkit/cluster/protection.hpp"

#include <algorithm>

namespace natkit::cluster {

void Protection::heard(const std::string& node, Instant now) {
    if (!standbys_.contains(node) && standbys_.size() >= most_standbys) return;
    standbys_.try_emplace(node, Standby{.lag = {}, .heard = now, .since = now}).first->second.heard = now;
}

void Protection::acknowledged(const std::string& node, std::span<const Instant> arrivals, Instant now) {
    const auto at = standbys_.find(node);
    if (at == standbys_.end()) return;
    Standby& standby = at->second;
    for (const Instant arrival : arrivals) {
        // What came before there was anybody to acknowledge it says nothing of how fast that is.
        if (arrival < standby.since) continue;
        standby.lag = last_ = now - arrival;
        if (samples_.size() >= most_samples) samples_.pop_front();
        samples_.push_back({.at = now, .lag = *last_});
    }
}

void Protection::update(std::optional<Instant> oldest, bool connected, Instant now) {
    std::erase_if(standbys_, [now](const auto& one) { return now - one.second.heard > silence; });
    while (!samples_.empty() && now - samples_.front().at > window) samples_.pop_front();
    const bool late = oldest && now - *oldest > promised;
    const bool fine = connected && !standbys_.empty() && !late;
    if (protected_ && !fine) since_ = late ? *oldest : now;
    protected_ = fine;
}

void Protection::restart(Instant now) {
    standbys_.clear();
    samples_.clear();
    last_.reset();
    protected_ = false;
    since_ = now;
}

std::optional<Duration> Protection::lag_p99(Instant now) const {
    std::vector<Duration> lags;
    for (const Sample& sample : samples_) {
        if (now - sample.at <= window) lags.push_back(sample.lag);
    }
    if (lags.empty()) return std::nullopt;
    const auto at = lags.begin() + static_cast<std::ptrdiff_t>((lags.size() * 99 + 99) / 100 - 1);
    std::ranges::nth_element(lags, at);
    return *at;
}

Duration Protection::unprotected(Instant now) const {
    return protected_ ? Duration::zero() : now - since_;
}

}  // namespace natkit::cluster
