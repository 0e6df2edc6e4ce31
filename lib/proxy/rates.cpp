#include "natkit/proxy/rates.hpp"

#include <algorithm>
#include <chrono>

namespace natkit::proxy {

void Bucket::fill(const Rate& rate, Instant now) {
    const std::chrono::duration<double> passed = now - at_;
    level_ = std::min(rate.burst, level_ + std::max(passed.count(), 0.0) * rate.per_second);
    at_ = now;
}

bool Bucket::take(const Rate& rate, Instant now) {
    fill(rate, now);
    if (level_ < 1) return false;
    level_ -= 1;
    return true;
}

bool Bucket::full(const Rate& rate, Instant now) {
    fill(rate, now);
    return level_ >= rate.burst;
}

bool Buckets::take(const Key& key, const Rate& rate, Instant now) {
    const auto known = buckets_.find(key);
    if (known != buckets_.end()) return known->second.take(rate, now);
    if (buckets_.size() >= most_) {
        std::erase_if(buckets_, [&](const auto& entry) { return Bucket(entry.second).full(rate, now); });
        if (buckets_.size() > most_ / 2) buckets_.clear();
    }
    return buckets_.emplace(key, Bucket(rate, now)).first->second.take(rate, now);
}

}  // namespace natkit::proxy
