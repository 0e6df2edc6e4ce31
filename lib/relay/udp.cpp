#include "natkit/relay/udp.hpp"

#include <algorithm>
#include <cassert>

#include "told.hpp"

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;

/// The silence of a party that may not send says nothing. Where only a hold is told of, that goes for both ends.
bool may_send(const Leg& leg) noexcept {
    return leg.direction == sdp::Direction::sendonly || (leg.direction == sdp::Direction::sendrecv && !leg.hold);
}

/// What an attacker, a misconfigured phone or a late packet causes; the rest is the ordinary course of a call.
bool is_refusal(Drop reason) noexcept {
    return reason == Drop::wrong_address || reason == Drop::wrong_port || reason == Drop::quarantined;
}

std::uint64_t refusals(const Leg::Part& part) noexcept {
    return part.counters.dropped(Drop::wrong_address) + part.counters.dropped(Drop::wrong_port) +
           part.counters.dropped(Drop::quarantined);
}

std::optional<Endpoint> rtcp_endpoint(const Party& party) {
    if (party.rtcp) return party.rtcp;
    if (!party.endpoint || party.endpoint->port == 65535) return std::nullopt;
    return Endpoint{party.endpoint->address, static_cast<std::uint16_t>(party.endpoint->port + 1)};
}

}  // namespace

Leg* Leg::peer() const noexcept {
    if (join == nullptr) return nullptr;
    return join->legs[0] == this ? join->legs[1] : join->legs[0];
}

Instant Leg::last_received() const noexcept {
    return std::max(parts[0].counters.last_received, parts[1].counters.last_received);
}

Leg& Relay::add(LegKey key, Stream stream, bool mux, Instant now) {
    auto [entry, fresh] = legs_.try_emplace(key, std::make_unique<Leg>());
    assert(fresh);
    Leg& leg = *entry->second;
    leg.key = key;
    leg.stream = stream;
    leg.mux = mux;
    leg.changed = now;
    if (stream == Stream::udp) leg.part(Component::rtp).latch.expect_no_rtp();
    if (next_sweep_ == Instant{}) next_sweep_ = now + sweep_every;
    return leg;
}

Leg* Relay::find(LegKey key) noexcept {
    const auto found = legs_.find(key);
    return found == legs_.end() ? nullptr : found->second.get();
}

void Relay::remove(LegKey key, Instant now) {
    const auto found = legs_.find(key);
    if (found == legs_.end()) return;
    part(*found->second, now);
    legs_.erase(found);
}

std::unique_ptr<Leg> Relay::extract(LegKey key) {
    auto node = legs_.extract(key);
    if (node.empty()) return nullptr;
    assert(node.mapped()->join == nullptr);
    return std::move(node.mapped());
}

Leg& Relay::insert(std::unique_ptr<Leg> leg, Instant now) {
    if (next_sweep_ == Instant{}) next_sweep_ = now + sweep_every;
    auto [entry, fresh] = legs_.try_emplace(leg->key, nullptr);
    assert(fresh);
    entry->second = std::move(leg);
    return *entry->second;
}

void Relay::signal(Leg& leg, const Party& party, SourcePolicy policy, Instant now) {
    const Latch::Signal first = latch_signal(party, policy);
    Latch& latch = leg.part(Component::rtp).latch;
    const bool other = !latch.signalled() || latch.said().opened_by(first);
    leg.direction = party.direction;
    leg.proof.ask(party.unproven && party.place == nat::Place::wan, other, now);
    latch.signal(first, now);
    if (leg.stream == Stream::rtp) {
        leg.part(Component::rtcp)
            .latch.signal({.policy = policy, .endpoint = rtcp_endpoint(party), .allowed = first.allowed}, now);
    }
    for (Leg::Part& part : leg.parts) {
        part.latch.expect(party.ssrcs);
        part.latch.let_send(may_send(leg), now);
        part.reported = 0;
    }
    leg.changed = now;
}

void Relay::set_hold(Leg& leg, bool hold, Instant now) {
    if (leg.hold && !hold) {
        // A binding may have gone while nothing was sent: resuming is signalling, so sources are looked at anew.
        for (Leg::Part& part : leg.parts) part.latch.reopen();
    }
    if (leg.hold != hold) leg.changed = now;
    leg.hold = hold;
    for (Leg::Part& part : leg.parts) part.latch.let_send(may_send(leg), now);
}

void Relay::restore(Leg& leg, Component component, const Latch::Known& holder, Instant now) {
    leg.part(component).latch.restore(holder, now);
}

void Relay::join(Leg& a, Leg& b, Instant now) {
    assert(&a != &b);
    if (a.join != nullptr && a.peer() == &b) return;
    part(a, now);
    part(b, now);
    auto join = std::make_unique<Join>();
    join->legs = {&a, &b};
    join->since = now;
    join->index = joins_.size();
    a.join = b.join = join.get();
    joins_.push_back(std::move(join));
}

void Relay::part(Leg& leg, Instant now) {
    Join* join = leg.join;
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

void Relay::drop(Leg& leg, Component component, Drop reason, const Endpoint& source) {
    Leg::Part& part = leg.part(component);
    ++part.counters.drops[static_cast<std::size_t>(reason)];
    const bool worth_telling =
        is_refusal(reason) || reason == Drop::no_party || reason == Drop::not_sent || reason == Drop::unproven;
    if (!worth_telling || (part.reported & bit(reason)) != 0 || events_.size() >= max_events) return;
    part.reported |= bit(reason);
    events_.push_back(
        {.kind = Event::Kind::refused, .leg = leg.key, .component = component, .endpoint = source, .reason = reason});
}

void Relay::note_latched(Leg& leg, Component component, const std::optional<Endpoint>& before,
                         const Latch::Verdict& verdict) {
    const Latch& latch = leg.part(component).latch;
    Event event{.kind = verdict.learned ? Event::Kind::latched : Event::Kind::confirmed,
                .leg = leg.key,
                .component = component,
                .endpoint = *latch.source(),
                .before = before,
                .rule = latch.rule(),
                .confirmed = latch.confirmed()};
    if (const auto& mark = latch.mark()) event.ssrc = mark->ssrc;
    if (events_.size() < max_events) events_.push_back(event);
    const bool rebound = verdict.learned == SourceRule::rebind;
    if ((verdict.confirmed || rebound) && component == Component::rtp && event.ssrc)
        leg.part(Component::rtcp).latch.follow(event.endpoint.address, *event.ssrc);
}

void Relay::note_heard(Leg& leg, const Endpoint& source, Instant now) {
    const bool cut = leg.proof.cut();
    if (!leg.proof.heard(now) || events_.size() >= max_events) return;
    events_.push_back({.kind = Event::Kind::proven, .leg = leg.key, .endpoint = source, .cut = cut});
}

Relay::Outcome Relay::on_packet(Leg& leg, Component component, const Endpoint& source,
                                std::span<const std::uint8_t> bytes, Instant now) {
    Leg::Part& part = leg.part(component);
    std::optional<rtp::RtpHeader> header;
    std::optional<StreamMark> mark;
    bool is_rtcp = component == Component::rtcp;
    if (leg.stream == Stream::rtp) {
        header = rtp::read_rtp(bytes);
        if (header) {
            mark = StreamMark{header->ssrc, header->sequence};
        } else if (const auto control = rtp::read_rtcp(bytes)) {
            mark = StreamMark{control->ssrc, std::nullopt};
            is_rtcp = is_rtcp || leg.mux;
        }
    }
    const std::optional<Endpoint> before = part.latch.source();
    const Latch::Verdict verdict = part.latch.on_packet(source, mark, now);
    if (!verdict.accepted) {
        drop(leg, component, verdict.reason, source);
        return {};
    }
    if (verdict.learned || verdict.confirmed) note_latched(leg, component, before, verdict);
    if (leg.proof.needed()) note_heard(leg, source, now);

    ++part.counters.received_packets;
    part.counters.received_bytes += bytes.size();
    part.counters.last_received = now;
    if (header && component == Component::rtp) leg.statistics.on_packet(*header, now);
    return towards(leg, component, is_rtcp, bytes.size(), source, now);
}

/// Where an accepted packet of the party of `leg` goes.
Relay::Outcome Relay::towards(Leg& leg, Component component, bool is_rtcp, std::size_t bytes, const Endpoint& source,
                              Instant now) {
    Leg* peer = leg.peer();
    if (peer == nullptr || (is_rtcp && peer->stream != Stream::rtp)) {
        drop(leg, component, Drop::not_joined, source);
        return {};
    }
    const Component out = is_rtcp && !peer->mux ? Component::rtcp : Component::rtp;
    Leg::Part& to = peer->part(out);
    if (!to.latch.target()) {
        drop(leg, component, Drop::peer_unknown, source);
        return {};
    }
    if (peer->proof.needed() && !peer->proof.allows(timeouts_.unproven, now)) {
        drop(*peer, out, Drop::unproven, *to.latch.target());
        return {};
    }
    ++to.counters.sent_packets;
    to.counters.sent_bytes += bytes;
    return {.leg = peer, .component = out, .endpoint = &*to.latch.target()};
}

void Relay::not_sent(Leg& from, Component component, const Outcome& outcome, std::size_t bytes) {
    Counters& counters = outcome.leg->part(outcome.component).counters;
    --counters.sent_packets;
    counters.sent_bytes -= bytes;
    drop(from, component, Drop::not_sent, *outcome.endpoint);
}

std::vector<Event> Relay::take_events() {
    return std::exchange(events_, {});
}

std::optional<Instant> Relay::next_deadline() const noexcept {
    if (legs_.empty()) return std::nullopt;
    return next_sweep_;
}

void Relay::on_time(Instant now) {
    if (now < next_sweep_) return;
    next_sweep_ = now + sweep_every;
    for (const auto& [key, leg] : legs_) {
        for (Leg::Part& part : leg->parts) {
            const std::uint64_t refused = refusals(part);
            part.refused_lately = refused != part.refused_before;
            part.refused_before = refused;
        }
        if (leg->join == nullptr && now - leg->changed >= timeouts_.hold) {
            leg->changed = now;  // told once; the owner of the leg removes it
            events_.push_back({.kind = Event::Kind::timed_out, .leg = key, .silent = timeouts_.hold});
        }
    }
    for (const auto& join : joins_) look_at(*join, now);
}

}  // namespace natkit::relay
