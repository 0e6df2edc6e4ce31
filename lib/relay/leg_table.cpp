#include "natkit/relay/leg_table.hpp"

#include <cassert>
#include <utility>

namespace natkit::relay {
namespace {

constexpr Duration sweep_every = std::chrono::seconds(1);
constexpr std::size_t max_events = 65536;

}  // namespace

void LegTable::insert(std::unique_ptr<Leg> leg, Instant now) {
    if (next_sweep_ == Instant{}) next_sweep_ = now + sweep_every;
    auto [entry, fresh] = legs_.try_emplace(leg->key, nullptr);
    assert(fresh);
    elsewhere_ -= traffic_of(*leg);
    entry->second = std::move(leg);
}

Leg* LegTable::find(LegKey key) noexcept {
    const auto found = legs_.find(key);
    return found == legs_.end() ? nullptr : found->second.get();
}

std::unique_ptr<Leg> LegTable::extract(LegKey key) {
    auto node = legs_.extract(key);
    if (node.empty()) return nullptr;
    assert(node.mapped()->join == nullptr);
    elsewhere_ += traffic_of(*node.mapped());
    return std::move(node.mapped());
}

Join& LegTable::join(Leg& a, Leg& b, Instant now) {
    assert(&a != &b && a.join == nullptr && b.join == nullptr && is_tcp(a.stream) == is_tcp(b.stream));
    auto made = std::make_unique<Join>();
    made->legs = {&a, &b};
    made->since = now;
    made->index = joins_.size();
    a.join = b.join = made.get();
    joins_.push_back(std::move(made));
    return *joins_.back();
}

void LegTable::part(Leg& leg, Instant now) {
    const Join* join = leg.join;
    if (join == nullptr) return;
    for (Leg* side : join->legs) {
        side->join = nullptr;
        side->changed = now;
    }
    const std::size_t index = join->index;
    std::swap(joins_[index], joins_.back());
    joins_[index]->index = index;
    joins_.pop_back();
}

bool LegTable::take_sweep(Instant now) noexcept {
    if (now < next_sweep_) return false;
    next_sweep_ = now + sweep_every;
    return true;
}

std::optional<Instant> LegTable::next_sweep() const noexcept {
    if (legs_.empty()) return std::nullopt;
    return next_sweep_;
}

void LegTable::tell_if_unjoined(Leg& leg, Instant now) {
    if (leg.join != nullptr || now - leg.changed < timeouts_.hold) return;
    if (tell({.kind = Event::Kind::timed_out, .leg = leg.key, .silent = timeouts_.hold})) leg.changed = now;
}

bool LegTable::tell(const Event& event) {
    if (events_.size() >= max_events) return false;
    events_.push_back(event);
    return true;
}

Traffic LegTable::traffic() const noexcept {
    Traffic all = elsewhere_;
    for (const auto& [key, leg] : legs_) all += traffic_of(*leg);
    return all;
}

std::vector<Event> LegTable::take_events() {
    return std::exchange(events_, {});
}

}  // namespace natkit::relay
