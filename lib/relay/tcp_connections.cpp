// Connections of TCP legs: taken, dialled, brought together, ended.
#include <algorithm>
#include <utility>

#include "natkit/relay/tcp.hpp"

namespace natkit::relay {
namespace {

using State = TcpConnection::State;

SourceRule rule_of(const TcpLeg& leg, const Endpoint& source) {
    if (leg.policy == SourcePolicy::latch) return SourceRule::latch;
    return leg.party->endpoint == source ? SourceRule::exact : SourceRule::port_learned;
}

}  // namespace

bool TcpLeg::allows(const IpAddress& address) const noexcept {
    if (!party) return false;
    if (policy == SourcePolicy::latch && party->site) return party->site->contains(address);
    if (policy != SourcePolicy::latch && party->endpoint) return party->endpoint->address == address;
    return party->visible == address;
}

bool may_be_dialled(const Party& party, const RangeSet& dial_for) noexcept {
    if (party.place != nat::Place::wan || !party.endpoint || !party.visible) return true;
    const IpAddress& address = party.endpoint->address;
    return address == *party.visible || (party.site && party.site->contains(address)) || dial_for.contains(address);
}

std::optional<Endpoint> TcpRelay::place_to_dial(TcpLeg& leg) {
    const auto place = leg.dials();
    if (!place || leg.may_dial) return place;
    drop(leg, Drop::not_dialled, *place);
    return std::nullopt;
}

bool TcpRelay::is_old(const TcpConnection& connection) const {
    if (connection.signalled != connection.leg->signalled) return true;
    const auto other = connections_.find(connection.other);
    return other != connections_.end() && other->second.signalled != other->second.leg->signalled;
}

std::size_t TcpRelay::engaged(const TcpLeg& leg) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(leg.connections, [&](ConnectionId id) { return connections_.at(id).other != 0; }));
}

bool TcpRelay::make_room(TcpLeg& leg, Instant now) {
    if (engaged(leg) < leg.limit) return true;
    for (const ConnectionId id : leg.connections) {
        const TcpConnection& each = connections_.at(id);
        if (each.other == 0 || !is_old(each)) continue;
        end(id, Ending::replaced, now);
        return true;
    }
    return false;
}

/// Its party connected to us while we were dialling it: the connection that is there is taken.
bool TcpRelay::give_up_dialling(TcpLeg& leg) {
    for (const ConnectionId id : leg.connections) {
        TcpConnection& connection = connections_.at(id);
        if (connection.state != State::dialling) continue;
        if (const auto other = connections_.find(connection.other); other != connections_.end()) {
            other->second.other = 0;
        }
        forget(connection, true, true);
        return true;
    }
    return false;
}

TcpConnection& TcpRelay::open(TcpLeg& leg, State state, const Endpoint& remote, SourceRule rule, Instant now) {
    const ConnectionId id = ++last_id_;
    TcpConnection& connection = connections_[id];
    connection = {.id = id,
                  .leg = &leg,
                  .state = state,
                  .remote = remote,
                  .rule = rule,
                  .signalled = leg.signalled,
                  .since = now};
    leg.connections.push_back(id);
    return connection;
}

TcpConnection& TcpRelay::dial(TcpLeg& leg, const Endpoint& to, Instant now) {
    const bool far = leg.party->place == nat::Place::far_end;
    TcpConnection& made = open(leg, State::dialling, to, far ? SourceRule::forwarded_port : SourceRule::exact, now);
    effects_.push_back({.kind = TcpEffect::Kind::dial, .id = made.id, .leg = leg.key, .remote = to});
    return made;
}

std::optional<ConnectionId> TcpRelay::on_accepted(TcpLeg& leg, const Endpoint& source, Instant now) {
    std::optional<Drop> reason;
    if (!leg.party) {
        reason = Drop::no_party;
    } else if (!leg.allows(source.address)) {
        reason = Drop::wrong_address;
    } else if (!leg.listens()) {
        reason = Drop::wrong_role;
    } else if (waiting(leg) >= max_waiting) {
        reason = Drop::too_many;
    }
    if (reason) {
        drop(leg, *reason, source);
        return std::nullopt;
    }
    // Where it is being dialled, this connection comes instead; else one that signalling has made old may go for it.
    if (!give_up_dialling(leg)) (void)make_room(leg, now);
    TcpConnection& connection = open(leg, State::waiting, source, rule_of(leg, source), now);
    const ConnectionId id = connection.id;
    match(connection, now);
    return id;
}

/// Finds or makes the other half of a connection that waits.
void TcpRelay::match(TcpConnection& connection, Instant now) {
    const ConnectionId id = connection.id;
    TcpLeg* peer = connection.leg->peer();
    if (peer == nullptr || engaged(*connection.leg) >= connection.leg->limit) return;
    if (!make_room(*peer, now)) return;
    for (const ConnectionId each : peer->connections) {
        TcpConnection& other = connections_.at(each);
        if (other.state == State::waiting && other.other == 0) return couple(connection, other, now);
    }
    const auto target = place_to_dial(*peer);
    if (target && connection.not_dialled_again) return;  // its party may still connect itself
    if (target) {
        TcpConnection& dialled = dial(*peer, *target, now);
        dialled.other = id;
        connections_.at(id).other = dialled.id;
        return;
    }
    // Nobody will come: told now, not after a wait.
    const bool hopeless = peer->party && peer->party->setup == sdp::Setup::passive;
    if (!hopeless) return;
    drop(*connection.leg, Drop::not_connected, connection.remote);
    end(id, Ending::not_met, now);
}

void TcpRelay::couple(TcpConnection& one, TcpConnection& other, Instant now) {
    TcpConnection& a = one.leg->join->legs[0] == one.leg ? one : other;
    TcpConnection& b = &a == &one ? other : one;
    for (TcpConnection* each : {&a, &b}) {
        each->state = State::coupled;
        each->since = each->moved = now;
        ++each->leg->opened;
    }
    a.other = b.id;
    b.other = a.id;
    effects_.push_back({.kind = TcpEffect::Kind::couple, .id = a.id, .other = b.id, .leg = a.leg->key});
    legs_.tell({.kind = Event::Kind::connected,
                .leg = a.leg->key,
                .other = b.leg->key,
                .endpoint = a.remote,
                .before = b.remote,
                .rule = a.rule,
                .other_rule = b.rule});
}

void TcpRelay::on_connected(ConnectionId id, Instant now) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second.state != State::dialling) return;
    TcpConnection& connection = found->second;
    connection.state = State::waiting;
    connection.since = now;
    const auto other = connections_.find(connection.other);
    if (other != connections_.end() && other->second.state == State::waiting) couple(connection, other->second, now);
}

void TcpRelay::on_failed(ConnectionId id, ConnectFailure why, Instant now) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second.state != State::dialling) return;
    TcpLeg& leg = *found->second.leg;
    const ConnectionId other_id = found->second.other;
    const SourceRule rule = found->second.rule;
    const Endpoint remote = found->second.remote;
    forget(found->second, false, false);
    ++leg.failed;
    // What this host did not manage says nothing about the party.
    if (rule == SourceRule::forwarded_port && why != ConnectFailure::system) leg.dial_failed = true;
    drop(leg, Drop::not_connected, remote, why, rule);
    const auto other = connections_.find(other_id);
    if (other == connections_.end()) return;
    other->second.other = 0;
    other->second.not_dialled_again = true;
    // A party that may connect itself may still do so.
    if (!leg.listens() || other->second.state != State::waiting) end(other_id, Ending::not_met, now);
    if (leg.join != nullptr) match_waiting(*leg.join, now);
}

void TcpRelay::on_ended(ConnectionId id, Ending how, Instant now) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    if (found->second.state == State::coupled) tell_disconnected(found->second, how, now);
    const bool coupled = found->second.state == State::coupled;
    Join* join = found->second.leg->join;
    const auto other = connections_.find(found->second.other);
    if (other != connections_.end()) forget(other->second, !coupled, true);
    forget(found->second, false, false);
    if (join != nullptr) match_waiting(*join, now);  // the next one's turn
}

void TcpRelay::end(ConnectionId id, Ending how, Instant now) {
    end(id, how, how == Ending::not_met || how == Ending::reset, now);
}

void TcpRelay::end(ConnectionId id, Ending how, bool reset, Instant now) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    if (found->second.state == State::coupled) tell_disconnected(found->second, how, now);
    if (const auto other = connections_.find(found->second.other); other != connections_.end()) {
        forget(other->second, true, reset);
    }
    forget(found->second, true, reset);
}

/// The end of a coupled pair is news.
void TcpRelay::tell_disconnected(const TcpConnection& one, Ending how, Instant now) {
    const TcpConnection& other = connections_.at(one.other);
    Join* join = one.leg->join;
    join->since = now;
    const TcpConnection& a = join->legs[0] == one.leg ? one : other;
    const TcpConnection& b = &a == &one ? other : one;
    legs_.tell({.kind = Event::Kind::disconnected,
                .leg = a.leg->key,
                .other = b.leg->key,
                .endpoint = a.remote,
                .before = b.remote,
                .ending = how,
                .bytes = {a.received, b.received}});
}

void TcpRelay::forget(const TcpConnection& connection, bool close, bool reset) {
    const ConnectionId id = connection.id;
    if (close) effects_.push_back({.kind = TcpEffect::Kind::close, .id = id, .reset = reset});
    std::erase(connection.leg->connections, id);
    connections_.erase(id);
}

void TcpRelay::on_progress(ConnectionId id, std::uint64_t received, std::uint64_t sent, bool finished, Instant now) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    TcpConnection& connection = found->second;
    Counters& counters = connection.leg->counters;
    if (received > connection.received) {
        counters.received_bytes += received - connection.received;
        counters.last_received = now;
    }
    if (received > connection.received || sent > connection.sent) connection.moved = now;
    if (sent > connection.sent) counters.sent_bytes += sent - connection.sent;
    connection.received = std::max(received, connection.received);
    connection.sent = std::max(sent, connection.sent);
    connection.finished = finished;
}

}  // namespace natkit::relay
