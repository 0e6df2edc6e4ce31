#include "natkit/ping/schedule.hpp"

#include <algorithm>

#include "natkit/base/hash.hpp"

namespace natkit::ping {

std::uint64_t stable_hash(std::string_view text) noexcept {
    return hash::mix(hash::fnv(hash::fnv_basis, text));
}

Grid::Grid(Duration interval) noexcept
    : interval_(std::max(interval, Duration(1))),
      period_(std::max(interval_ / 100 * 94, Duration(1))),
      jitter_(interval_ / 100 * 4) {}

Instant Grid::moment(std::uint64_t client_hash, std::int64_t round) const noexcept {
    const auto offset = static_cast<std::int64_t>(client_hash % static_cast<std::uint64_t>(period_.count()));
    const std::uint64_t random = hash::mix(client_hash + static_cast<std::uint64_t>(round) * hash::golden);
    const auto jitter = static_cast<std::int64_t>(random % static_cast<std::uint64_t>(jitter_.count() + 1));
    return Instant(period_ * round + Duration(offset + jitter));
}

std::int64_t Grid::round_at(std::uint64_t client_hash, Instant now) const noexcept {
    const auto offset = static_cast<std::int64_t>(client_hash % static_cast<std::uint64_t>(period_.count()));
    return (now.time_since_epoch().count() - offset) / period_.count();
}

Instant Grid::next(std::uint64_t client_hash, Instant now) const noexcept {
    // Jitter moves a moment by less than a period, so the search is two or three steps.
    std::int64_t round = round_at(client_hash, now) - 1;
    while (moment(client_hash, round) <= now) ++round;
    return moment(client_hash, round);
}

Instant Grid::last(std::uint64_t client_hash, Instant now) const noexcept {
    std::int64_t round = round_at(client_hash, now) + 1;
    while (moment(client_hash, round) > now) --round;
    return moment(client_hash, round);
}

void Schedule::plan(std::uint32_t slot, Instant when) {
    slots_[slot].due = when;
    deadlines_.add(when, {slot, slots_[slot].generation});
}

Schedule::Added Schedule::add(const ClientId& id, const Grid& grid, Instant now, std::optional<Instant> missed_since) {
    if (index_.contains(id)) return Added::known;
    if (index_.size() >= limits_.clients) return Added::refused;
    std::uint32_t slot = 0;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    const auto [entry, added] = index_.emplace(id, slot);
    Slot& client = slots_[slot];
    client.id = &entry->first;
    client.hash = stable_hash(id);
    client.grid = grid;
    ++periods_[grid.period()];
    const bool missed = missed_since && grid.last(client.hash, now) > *missed_since;
    plan(slot, missed ? now : grid.next(client.hash, now));
    return Added::added;
}

bool Schedule::remove(const ClientId& id) {
    const auto found = index_.find(id);
    if (found == index_.end()) return false;
    Slot& client = slots_[found->second];
    forget_period(client.grid.period());
    client.id = nullptr;
    ++client.generation;
    free_.push_back(found->second);
    index_.erase(found);
    return true;
}

void Schedule::forget_period(Duration period) {
    const auto found = periods_.find(period);
    if (--found->second == 0) periods_.erase(found);
}

void Schedule::change(const ClientId& id, const Grid& grid, Instant now) {
    const auto found = index_.find(id);
    if (found == index_.end()) return;
    Slot& client = slots_[found->second];
    if (client.grid.interval() == grid.interval()) return;
    forget_period(client.grid.period());
    ++periods_[grid.period()];
    client.grid = grid;
    plan(found->second, std::min(client.due, grid.next(client.hash, now)));
}

void Schedule::retry_at(const ClientId& id, Instant when) {
    const auto found = index_.find(id);
    if (found != index_.end() && when < slots_[found->second].due) plan(found->second, when);
}

std::size_t Schedule::full_burst() const noexcept {
    const std::size_t n = index_.size();
    if (n == 0) return 1;
    const auto ticks = static_cast<std::size_t>(std::max<std::int64_t>(periods_.begin()->first / limits_.tick, 1));
    return limits_.burst_factor * ((n + ticks - 1) / ticks);
}

std::vector<ClientId> Schedule::due(Instant now) {
    if (!tick_start_ || now - *tick_start_ >= limits_.tick) {
        tick_start_ = now;
        sent_in_tick_ = 0;
    }
    std::vector<ClientId> result;
    const std::size_t most = full_burst();
    while (sent_in_tick_ < most) {
        const auto ref = deadlines_.pop_due(now);
        if (!ref) break;
        Slot& client = slots_[ref->slot];
        // An entry of a client that is gone, or that was moved to an earlier moment and has been pinged there.
        if (client.id == nullptr || client.generation != ref->generation || client.due > now) continue;
        result.push_back(*client.id);
        plan(ref->slot, client.grid.next(client.hash, now));
        ++sent_in_tick_;
    }
    return result;
}

std::optional<Instant> Schedule::next_deadline() const {
    const auto next = deadlines_.next();
    if (!next || !tick_start_) return next;
    return std::max(*next, *tick_start_ + limits_.tick);
}

Instant Schedule::served_until(Instant now) const {
    const auto next = deadlines_.next();
    return next && *next <= now ? *next - Duration(1) : now;
}

}  // namespace natkit::ping
