#include "natkit/relay/udp.hpp"

#include <algorithm>

namespace natkit::relay {
namespace {

using namespace std::chrono_literals;

/// The silence of a party that may not send says nothing. Where only a hold is told of, that goes for both ends.
bool may_send(const UdpLeg& leg) noexcept {
    return leg.direction == sdp::Direction::sendonly || (leg.direction == sdp::Direction::sendrecv && !leg.hold);
}

/// What an attacker, a misconfigured phone or a late packet causes; the rest is the ordinary course of a call.
bool is_refusal(Drop reason) noexcept {
    return reason == Drop::wrong_address || reason == Drop::wrong_port || reason == Drop::quarantined ||
           reason == Drop::wrong_interface;
}

std::uint64_t refusals(const UdpLeg::Part& part) noexcept {
    return part.counters.dropped(Drop::wrong_address) + part.counters.dropped(Drop::wrong_port) +
           part.counters.dropped(Drop::quarantined);
}

std::optional<Endpoint> rtcp_endpoint(const Party& party) {
    if (party.rtcp) return party.rtcp;
    if (!party.endpoint || party.endpoint->port == 65535) return std::nullopt;
    return Endpoint{party.endpoint->address, static_cast<std::uint16_t>(party.endpoint->port + 1)};
}

}  // namespace

Instant UdpLeg::last_received() const noexcept {
    return std::max(parts[0].counters.last_received, parts[1].counters.last_received);
}

UdpLeg& UdpRelay::add(LegKey key, Stream stream, bool mux, Instant now) {
    UdpLeg& leg = legs_.add<UdpLeg>(key, stream, now);
    leg.mux = mux;
    if (stream == Stream::udp) leg.part(Component::rtp).latch.expect_no_rtp();
    return leg;
}

void UdpRelay::signal(UdpLeg& leg, const Party& party, SourcePolicy policy, Instant now) {
    const Latch::Signal first = latch_signal(party, policy);
    Latch& latch = leg.part(Component::rtp).latch;
    const bool other = !latch.signalled() || latch.last_signal().opened_by(first);
    leg.direction = party.direction;
    leg.proof.ask(party.unproven && party.place == nat::Place::wan, other, now);
    latch.signal(first, now);
    if (leg.stream == Stream::rtp) {
        leg.part(Component::rtcp)
            .latch.signal({.policy = policy, .endpoint = rtcp_endpoint(party), .allowed = first.allowed}, now);
    }
    for (UdpLeg::Part& part : leg.parts) {
        part.latch.expect(party.ssrcs);
        part.latch.let_send(may_send(leg), now);
        part.told.clear();
    }
    leg.changed = now;
}

void UdpRelay::reopen(UdpLeg& leg) noexcept {
    for (UdpLeg::Part& part : leg.parts) part.latch.reopen();
}

void UdpRelay::on_hold(UdpLeg& leg, bool resumes, Instant now) {
    for (UdpLeg::Part& part : leg.parts) {
        // A binding may have gone while nothing was sent: resuming is signalling, so sources are looked at anew.
        if (resumes) part.latch.reopen();
        part.latch.let_send(may_send(leg), now);
    }
}

void UdpRelay::restore(UdpLeg& leg, Component component, const Latch::Known& holder, Instant now, Duration handover) {
    leg.part(component).latch.restore(holder, now, handover);
}

void UdpRelay::refuse(UdpLeg& leg, Component component, Drop reason, const Endpoint& source) {
    drop(leg, component, reason, source);
}

void UdpRelay::drop(UdpLeg& leg, Component component, Drop reason, const Endpoint& source) {
    UdpLeg::Part& part = leg.part(component);
    ++part.counters.drops[static_cast<std::size_t>(reason)];
    const bool worth_telling =
        is_refusal(reason) || reason == Drop::no_party || reason == Drop::not_sent || reason == Drop::unproven;
    if (!worth_telling || part.told.contains(reason)) return;
    const Event event{
        .kind = Event::Kind::refused, .leg = leg.key, .component = component, .endpoint = source, .reason = reason};
    if (legs_.tell(event)) part.told.add(reason);
}

void UdpRelay::note_latched(UdpLeg& leg, Component component, const std::optional<Endpoint>& before,
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
    (void)legs_.tell(event);
    const bool rebound = verdict.learned == SourceRule::rebind;
    if ((verdict.confirmed || rebound) && component == Component::rtp && event.ssrc)
        leg.part(Component::rtcp).latch.follow(event.endpoint.address, *event.ssrc);
}

void UdpRelay::note_proof(UdpLeg& leg, const Endpoint& source, Instant now) {
    const bool cut = leg.proof.cut();
    if (leg.proof.heard(now)) legs_.tell({.kind = Event::Kind::proven, .leg = leg.key, .endpoint = source, .cut = cut});
}

UdpRelay::Outcome UdpRelay::on_packet(UdpLeg& leg, Component component, const Endpoint& source,
                                      std::span<const std::uint8_t> bytes, Instant now) {
    UdpLeg::Part& part = leg.part(component);
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
    if (leg.proof.needed()) note_proof(leg, source, now);

    ++part.counters.received_packets;
    part.counters.received_bytes += bytes.size();
    part.counters.last_received = now;
    if (header && component == Component::rtp) leg.statistics.on_packet(*header, now);
    return forward_to_peer(leg, component, is_rtcp, bytes.size(), source, now);
}

/// Where an accepted packet of the party of `leg` goes.
UdpRelay::Outcome UdpRelay::forward_to_peer(UdpLeg& leg, Component component, bool is_rtcp, std::size_t bytes,
                                            const Endpoint& source, Instant now) {
    UdpLeg* peer = leg.peer();
    if (peer == nullptr || (is_rtcp && peer->stream != Stream::rtp)) {
        drop(leg, component, Drop::not_joined, source);
        return {};
    }
    const Component out = is_rtcp && !peer->mux ? Component::rtcp : Component::rtp;
    UdpLeg::Part& to = peer->part(out);
    if (!to.latch.target()) {
        drop(leg, component, Drop::peer_unknown, source);
        return {};
    }
    if (peer->proof.needed() && !peer->proof.allows(legs_.timeouts().unproven, now)) {
        drop(*peer, out, Drop::unproven, *to.latch.target());
        return {};
    }
    ++to.counters.sent_packets;
    to.counters.sent_bytes += bytes;
    return {.leg = peer, .component = out, .endpoint = &*to.latch.target()};
}

void UdpRelay::not_sent(UdpLeg& from, Component component, const Outcome& outcome, std::size_t bytes) {
    Counters& counters = outcome.leg->part(outcome.component).counters;
    --counters.sent_packets;
    counters.sent_bytes -= bytes;
    drop(from, component, Drop::not_sent, *outcome.endpoint);
}

void UdpRelay::sweep(UdpLeg& leg) noexcept {
    for (UdpLeg::Part& part : leg.parts) {
        const std::uint64_t refused = refusals(part);
        part.refused_lately = refused != part.refused_before;
        part.refused_before = refused;
    }
}

}  // namespace natkit::relay
