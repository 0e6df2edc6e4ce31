#include "natkit/relay/tcp.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;
using State = TcpConnection::State;

constexpr std::uint16_t discard_port = 9;  ///< of an active party: RFC 4145 section 4.1

bool on_hold(const TcpLeg& leg) {
    return leg.hold || (leg.party && leg.party->setup == sdp::Setup::holdconn);
}

std::array<TcpLeg*, 2> legs_of(const Join& join) {
    return {static_cast<TcpLeg*>(join.legs[0]), static_cast<TcpLeg*>(join.legs[1])};
}

bool same_place(const Party& a, const Party& b) {
    return a.place == b.place && a.endpoint == b.endpoint && a.visible == b.visible && a.site == b.site;
}

}  // namespace

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
    assert(limit >= 1 && limit <= max_connections);
    TcpLeg& leg = legs_.add<TcpLeg>(key, Stream::tcp, now);
    leg.limit = limit;
    return leg;
}

void TcpRelay::end_connections(TcpLeg& leg, Instant now) {
    while (!leg.connections.empty()) end(leg.connections.back(), Ending::parted, now);
}

void TcpRelay::signal(TcpLeg& leg, const Party& party, SourcePolicy policy, bool renew, Instant now) {
    if (leg.party == party && leg.policy == policy && !renew) return;
    if (renew || (leg.party && !same_place(*leg.party, party))) ++leg.signalled;
    leg.party = party;
    leg.policy = policy;
    leg.dial_failed = false;
    leg.may_dial = may_be_dialled(party, dial_for_);
    leg.told.clear();
    leg.changed = now;
    const std::vector<ConnectionId> before = leg.connections;
    for (const ConnectionId id : before) {
        const auto found = connections_.find(id);
        if (found != connections_.end() && !leg.allows(found->second.remote.address)) end(id, Ending::parted, now);
    }
    if (leg.join != nullptr) match_anew(*leg.join, now);
}

void TcpRelay::match_anew(Join& join, Instant now) {
    allow_dialling(join);
    match_waiting(join, now);
    dial_both(join, now);
}

void TcpRelay::on_parting(TcpLeg& leg, Instant now) {
    const std::vector<ConnectionId> before = leg.connections;
    for (const ConnectionId id : before) {
        const auto found = connections_.find(id);
        if (found != connections_.end() && found->second.other != 0) end(id, Ending::parted, now);
    }
}

/// The legs are joined, or one of them was told of another party: connections that wait may go on.
void TcpRelay::match_waiting(Join& join, Instant now) {
    for (TcpLeg* leg : legs_of(join)) {
        const std::vector<ConnectionId> waiting = leg->connections;
        for (const ConnectionId id : waiting) {
            const auto found = connections_.find(id);
            if (found == connections_.end()) continue;
            if (found->second.state == State::waiting && found->second.other == 0) match(found->second, now);
        }
    }
}

/// Signalling has spoken: what was dialled in vain may be dialled once more.
void TcpRelay::allow_dialling(Join& join) {
    for (const TcpLeg* leg : legs_of(join)) {
        for (const ConnectionId id : leg->connections) connections_.at(id).not_dialled_again = false;
    }
}

/// Where neither party may connect, nobody but the relay can begin: it does when signalling has spoken.
void TcpRelay::dial_both(Join& join, Instant now) {
    const auto [one, other] = legs_of(join);
    if (one->listens() || other->listens()) return;
    const auto to_a = place_to_dial(*one);
    const auto to_b = place_to_dial(*other);
    const auto renewed = [&](const TcpLeg& leg) {
        return std::ranges::all_of(leg.connections, [&](ConnectionId id) { return is_old(connections_.at(id)); });
    };
    if (!to_a || !to_b) return;
    if (!renewed(*one) || !renewed(*other)) return;
    if (!make_room(*one, now) || !make_room(*other, now)) return;
    TcpConnection& a = dial(*one, *to_a, now);
    TcpConnection& b = dial(*other, *to_b, now);
    a.other = b.id;
    b.other = a.id;
}

void TcpRelay::drop(TcpLeg& leg, Drop reason, const Endpoint& source, std::optional<ConnectFailure> why,
                    SourceRule rule) {
    ++leg.counters.drops[static_cast<std::size_t>(reason)];
    if (leg.told.contains(reason)) return;
    const Event event{.kind = Event::Kind::refused,
                      .leg = leg.key,
                      .endpoint = source,
                      .rule = rule,
                      .reason = reason,
                      .failure = why};
    if (legs_.tell(event)) leg.told.add(reason);
}

void TcpRelay::end_late(Instant now) {
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
}

bool TcpRelay::is_idle_and_half_closed(const TcpConnection& connection, Instant now) const {
    if (connection.state != State::coupled || !connection.finished) return false;
    return now - std::max(connection.moved, connections_.at(connection.other).moved) >= linger;
}

/// A party that has ended a connection and opened the next one is not kept from it by the other party's not ending it,
/// unless that one still sends.
void TcpRelay::make_room_for_next(Join& join, Instant now) {
    for (TcpLeg* leg : legs_of(join)) {
        const auto waits = [&](ConnectionId id) {
            const TcpConnection& each = connections_.at(id);
            return each.state == State::waiting && each.other == 0 && now - each.since >= linger;
        };
        if (engaged(*leg) < leg->limit || std::ranges::none_of(leg->connections, waits)) continue;
        const auto done = std::ranges::find_if(
            leg->connections, [&](ConnectionId id) { return is_idle_and_half_closed(connections_.at(id), now); });
        // Of one that is coupled still, something has not arrived yet: what is cut short must not look complete.
        if (done != leg->connections.end()) end(*done, Ending::replaced, true, now);
    }
    match_waiting(join, now);
}

/// Without a connection a join lasts for `silence`. A connection that is up stands for a party that is there, as long
/// as the system's keepalives are answered: it may be idle for as long as one on hold.
void TcpRelay::sweep(Join& join, Instant now) {
    make_room_for_next(join, now);
    bool up = false;
    bool hold = false;
    Instant last = join.since;
    for (const TcpLeg* leg : legs_of(join)) {
        hold = hold || on_hold(*leg);
        last = std::max(last, leg->counters.last_received);
        for (const ConnectionId id : leg->connections) {
            const TcpConnection& connection = connections_.at(id);
            if (connection.state != State::coupled) continue;
            up = true;
            last = std::max(last, connection.since);
        }
    }
    if (now - last < (up || hold ? legs_.timeouts().hold : legs_.timeouts().silence)) return;
    legs_.tell({.kind = Event::Kind::timed_out,
                .leg = join.legs[0]->key,
                .other = join.legs[1]->key,
                .silent = now - last,
                .hold = hold});
}

std::vector<TcpEffect> TcpRelay::take_effects() {
    return std::exchange(effects_, {});
}

const TcpConnection* TcpRelay::connection(ConnectionId id) const noexcept {
    const auto found = connections_.find(id);
    return found == connections_.end() ? nullptr : &found->second;
}

}  // namespace natkit::relay
