#include "natkit/relay/tcp.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "told.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;
using State = TcpConnection::State;

constexpr std::uint16_t discard_port = 9;  ///< of an active party: RFC 4145 section 4.1

bool on_hold(const TcpLeg& leg) {
    return leg.hold || (leg.party && leg.party->setup == sdp::Setup::holdconn);
}

bool same_place(const Party& a, const Party& b) {
    return a.place == b.place && a.endpoint == b.endpoint && a.visible == b.visible && a.site == b.site;
}

}  // namespace

TcpLeg* TcpLeg::peer() const noexcept {
    if (join == nullptr) return nullptr;
    return join->legs[0] == this ? join->legs[1] : join->legs[0];
}

bool TcpLeg::listens() const noexcept {
    return party && party->setup != sdp::Setup::passive && party->setup != sdp::Setup::holdconn;
}

std::optional<Endpoint> TcpLeg::dials() const noexcept {
    if (!party || !party->endpoint || party->endpoint->port == 0) return std::nullopt;
    if (party->setup == sdp::Setup::active || party->setup == sdp::Setup::holdconn) return std::nullopt;
    const bool passive = party->setup == sdp::Setup::passive;
    if (!passive && party->endpoint->port == discard_port) return std::nullopt;
    if (party->place != nat::Place::far_end) return party->endpoint;
    // Nothing but a port forwarded on its NAT leads to a far-end party; it is tried once (the guide's remedy).
    if (!passive || dial_failed || !party->visible) return std::nullopt;
    return Endpoint{*party->visible, party->endpoint->port};
}

// --- legs and joins ------------------------------------------------------------------------------------------------

TcpLeg& TcpRelay::add(LegKey key, unsigned limit, Instant now) {
    auto [entry, fresh] = legs_.try_emplace(key, std::make_unique<TcpLeg>());
    assert(fresh && limit >= 1 && limit <= max_connections);
    TcpLeg& leg = *entry->second;
    leg.key = key;
    leg.limit = limit;
    leg.changed = now;
    if (next_sweep_ == Instant{}) next_sweep_ = now + sweep_every;
    return leg;
}

TcpLeg* TcpRelay::find(LegKey key) noexcept {
    const auto found = legs_.find(key);
    return found == legs_.end() ? nullptr : found->second.get();
}

void TcpRelay::remove(LegKey key, Instant now) {
    TcpLeg* leg = find(key);
    if (leg == nullptr) return;
    close(*leg, now);
    part(*leg, now);
    legs_.erase(key);
}

void TcpRelay::close(TcpLeg& leg, Instant now) {
    while (!leg.connections.empty()) end(leg.connections.back(), Ending::parted, now);
}

void TcpRelay::signal(TcpLeg& leg, const Party& party, SourcePolicy policy, bool renew, Instant now) {
    if (leg.party == party && leg.policy == policy && !renew) return;
    if (renew || (leg.party && !same_place(*leg.party, party))) ++leg.signalled;
    leg.party = party;
    leg.policy = policy;
    leg.dial_failed = false;
    leg.may_dial = may_be_dialled(party, dial_for_);
    leg.reported = 0;
    leg.changed = now;
    const std::vector<ConnectionId> before = leg.connections;
    for (const ConnectionId id : before) {
        const auto found = connections_.find(id);
        if (found != connections_.end() && !leg.allows(found->second.remote.address)) end(id, Ending::parted, now);
    }
    if (leg.join == nullptr) return;
    allow_dialling(*leg.join);
    meet(*leg.join, now);
    dial_both(*leg.join, now);
}

void TcpRelay::set_hold(TcpLeg& leg, bool hold, Instant now) {
    if (leg.hold != hold) leg.changed = now;
    leg.hold = hold;
}

void TcpRelay::join(TcpLeg& a, TcpLeg& b, Instant now) {
    assert(&a != &b);
    if (a.join != nullptr && a.peer() == &b) return;
    part(a, now);
    part(b, now);
    auto join = std::make_unique<TcpJoin>();
    join->legs = {&a, &b};
    join->active = now;
    join->index = joins_.size();
    a.join = b.join = join.get();
    joins_.push_back(std::move(join));
    allow_dialling(*joins_.back());
    meet(*joins_.back(), now);
    dial_both(*joins_.back(), now);
}

void TcpRelay::part(TcpLeg& leg, Instant now) {
    TcpJoin* join = leg.join;
    if (join == nullptr) return;
    const std::vector<ConnectionId> before = leg.connections;
    for (const ConnectionId id : before) {
        const auto found = connections_.find(id);
        if (found != connections_.end() && found->second.other != 0) end(id, Ending::parted, now);
    }
    for (TcpLeg* side : join->legs) {
        side->join = nullptr;
        side->changed = now;
    }
    const std::size_t index = join->index;
    std::swap(joins_[index], joins_.back());
    joins_[index]->index = index;
    joins_.pop_back();
}

/// The legs are joined, or one of them was told of another party: connections that wait may go on.
void TcpRelay::meet(TcpJoin& join, Instant now) {
    for (TcpLeg* leg : join.legs) {
        const std::vector<ConnectionId> waiting = leg->connections;
        for (const ConnectionId id : waiting) {
            const auto found = connections_.find(id);
            if (found == connections_.end()) continue;
            if (found->second.state == State::waiting && found->second.other == 0) match(found->second, now);
        }
    }
}

/// Signalling has spoken: what was dialled in vain may be dialled once more.
void TcpRelay::allow_dialling(TcpJoin& join) {
    for (const TcpLeg* leg : join.legs) {
        for (const ConnectionId id : leg->connections) connections_.at(id).in_vain = false;
    }
}

/// Where neither party may connect, nobody but the relay can begin: it does when signalling has spoken.
void TcpRelay::dial_both(TcpJoin& join, Instant now) {
    if (join.legs[0]->listens() || join.legs[1]->listens()) return;
    const auto to_a = place_to_dial(*join.legs[0]);
    const auto to_b = place_to_dial(*join.legs[1]);
    const auto renewed = [&](const TcpLeg& leg) {
        return std::ranges::all_of(leg.connections, [&](ConnectionId id) { return is_old(connections_.at(id)); });
    };
    if (!to_a || !to_b) return;
    if (!renewed(*join.legs[0]) || !renewed(*join.legs[1])) return;
    if (!make_room(*join.legs[0], now) || !make_room(*join.legs[1], now)) return;
    TcpConnection& a = dial(*join.legs[0], *to_a, now);
    TcpConnection& b = dial(*join.legs[1], *to_b, now);
    a.other = b.id;
    b.other = a.id;
}

void TcpRelay::drop(TcpLeg& leg, Drop reason, const Endpoint& source, std::optional<ConnectFailure> why,
                    SourceRule rule) {
    ++leg.counters.drops[static_cast<std::size_t>(reason)];
    if ((leg.reported & bit(reason)) != 0) return;
    leg.reported |= bit(reason);
    tell({.kind = Event::Kind::refused,
          .leg = leg.key,
          .endpoint = source,
          .rule = rule,
          .reason = reason,
          .failure = why});
}

void TcpRelay::tell(Event event) {
    if (events_.size() < max_events) events_.push_back(event);
}

std::optional<Instant> TcpRelay::next_deadline() const noexcept {
    if (legs_.empty()) return std::nullopt;
    return next_sweep_;
}

void TcpRelay::on_time(Instant now) {
    if (now < next_sweep_) return;
    next_sweep_ = now + sweep_every;
    std::vector<ConnectionId> late;
    for (const auto& [id, connection] : connections_) {
        const Duration age = now - connection.since;
        const bool dialling = connection.state == State::dialling && age >= times_.connect;
        const bool alone = connection.state == State::waiting && connection.other == 0 && age >= times_.pair;
        if (dialling || alone) late.push_back(id);
    }
    std::ranges::sort(late);
    for (const ConnectionId id : late) {
        const auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        if (found->second.state == State::dialling) {
            effects_.push_back({.kind = TcpEffect::Kind::close, .id = id, .reset = true});
            on_failed(id, ConnectFailure::timed_out, now);
        } else {
            drop(*found->second.leg, Drop::not_met, found->second.remote);
            end(id, Ending::not_met, now);
        }
    }
    for (const auto& [key, leg] : legs_) {
        if (leg->join != nullptr || now - leg->changed < timeouts_.hold) continue;
        leg->changed = now;  // told once; the owner of the leg removes it
        tell({.kind = Event::Kind::timed_out, .leg = key, .silent = timeouts_.hold});
    }
    for (const auto& join : joins_) {
        make_room_for_next(*join, now);
        look_at(*join, now);
    }
}

bool TcpRelay::is_left(const TcpConnection& connection, Instant now) const {
    if (connection.state != State::coupled || !connection.finished) return false;
    return now - std::max(connection.moved, connections_.at(connection.other).moved) >= linger;
}

/// A party that has ended a connection and opened the next one is not kept from it by the other party's not ending it,
/// unless that one still sends.
void TcpRelay::make_room_for_next(TcpJoin& join, Instant now) {
    for (TcpLeg* leg : join.legs) {
        const auto waits = [&](ConnectionId id) {
            const TcpConnection& each = connections_.at(id);
            return each.state == State::waiting && each.other == 0 && now - each.since >= linger;
        };
        if (engaged(*leg) < leg->limit || std::ranges::none_of(leg->connections, waits)) continue;
        const auto done =
            std::ranges::find_if(leg->connections, [&](ConnectionId id) { return is_left(connections_.at(id), now); });
        // Of one that is coupled still, something has not arrived yet: what is cut short must not look complete.
        if (done != leg->connections.end()) end(*done, Ending::replaced, true, now);
    }
    meet(join, now);
}

/// Without a connection a join lasts for `silence`. A connection that is up stands for a party that is there, as long
/// as the system's keepalives are answered: it may be idle for as long as one on hold.
void TcpRelay::look_at(TcpJoin& join, Instant now) {
    bool up = false;
    bool hold = false;
    Instant last = join.active;
    for (const TcpLeg* leg : join.legs) {
        hold = hold || on_hold(*leg);
        last = std::max(last, leg->counters.last_received);
        for (const ConnectionId id : leg->connections) {
            const TcpConnection& connection = connections_.at(id);
            if (connection.state != State::coupled) continue;
            up = true;
            last = std::max(last, connection.since);
        }
    }
    if (now - last < (up || hold ? timeouts_.hold : timeouts_.silence)) return;
    tell({.kind = Event::Kind::timed_out,
          .leg = join.legs[0]->key,
          .other = join.legs[1]->key,
          .silent = now - last,
          .hold = hold});
}

std::vector<TcpEffect> TcpRelay::take_effects() {
    return std::exchange(effects_, {});
}

std::vector<Event> TcpRelay::take_events() {
    return std::exchange(events_, {});
}

const TcpConnection* TcpRelay::connection(ConnectionId id) const noexcept {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : &found->second;
}

}  // namespace natkit::relay
