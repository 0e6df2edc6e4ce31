#include "natkit/cluster/ownership.hpp"

#include <algorithm>
#include <utility>

namespace natkit::cluster {

using What = Ownership::Effect::Kind;

Ownership::Ownership(std::string node, Role role, std::uint64_t epoch)
    : node_(std::move(node)),
      role_(role),
      epoch_(epoch),
      claim_(role == Role::active ? Claim::settle : Claim::none),
      had_address_(role == Role::active) {}

Ownership::Effects Ownership::promote(bool redis_connected) {
    if (role_ == Role::active) return {};
    role_ = Role::active;
    ++epoch_;
    claim_ = redis_connected ? Claim::raise : Claim::settle;
    had_address_ = false;
    told_off_ = false;
    vacant_since_.reset();
    return {{.kind = What::begin, .why = Why::order, .other = {}}};
}

Ownership::Effects Ownership::demote(Why why) {
    told_off_ = has_all_;
    return step_down(why, {});
}

Ownership::Effects Ownership::addresses(std::size_t here, std::size_t all) {
    has_all_ = all > 0 && here == all;
    told_off_ = told_off_ && has_all_;
    if (role_ != Role::active || all == 0) return {};
    if (here > 0) {
        had_address_ = true;
        return {};
    }
    // A promotion may come a moment before its addresses.
    return had_address_ ? step_down(Why::address_gone, {}) : Effects{};
}

Ownership::Effects Ownership::look_around(const Others& others, Instant now) {
    if (role_ == Role::active || !has_all_ || told_off_ || others.active) {
        vacant_since_.reset();
        return {};
    }
    if (!vacant_since_) vacant_since_ = now;
    if (now - *vacant_since_ < (others.known && others.ready ? grace : long_grace)) return {};
    Effects effects = promote(others.known);
    for (Effect& effect : effects) effect.why = Why::address_here;
    return effects;
}

void Ownership::redis_lost() {
    // An order that Redis has not heard of is as one that was given without it.
    if (claim_ == Claim::raise) claim_ = Claim::settle;
}

Ownership::Effects Ownership::owner_seen(const std::optional<Owner>& owner) {
    if (!owner) {
        unclaim();
        return {};
    }
    if (role_ == Role::standby) {
        epoch_ = std::max(epoch_, owner->epoch);
        return {};
    }
    // While a claim is open its answer decides.
    if (claim_ != Claim::none) return {};
    // Another owner may be dead, or a standby by now; what the claim is answered decides it at once for all.
    if (owner->node != node_ || owner->epoch != epoch_) unclaim();
    return {};
}

Ownership::Effects Ownership::claimed(std::uint64_t epoch) {
    if (role_ != Role::active) return {};
    claim_ = Claim::none;
    Effects effects;
    if (epoch != epoch_) effects.push_back({.kind = What::rename, .why = Why::order, .other = {}});
    epoch_ = std::max(epoch_, epoch);
    effects.push_back({.kind = What::write, .why = Why::order, .other = {}});
    return effects;
}

Ownership::Effects Ownership::refused(std::uint64_t epoch, const std::string& node) {
    epoch_ = std::max(epoch_, epoch);
    return step_down(Why::another_owner, node);
}

void Ownership::unclaim() {
    if (role_ == Role::active && claim_ == Claim::none) claim_ = Claim::settle;
}

Ownership::Effects Ownership::step_down(Why why, const std::string& other) {
    if (role_ == Role::standby) return {};
    role_ = Role::standby;
    claim_ = Claim::none;
    return {{.kind = What::end, .why = why, .other = other}};
}

}  // namespace natkit::cluster
