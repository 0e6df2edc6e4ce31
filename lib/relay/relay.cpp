#include "natkit/relay/relay.hpp"

namespace natkit::relay {

void Relay::signal(Leg& leg, const Party& party, SourcePolicy policy, Instant now, bool renew) {
    if (TcpLeg* tcp_leg = as_tcp(&leg)) return tcp.signal(*tcp_leg, party, policy, renew, now);
    udp.signal(*as_udp(&leg), party, policy, now);
    if (renew) udp.reopen(*as_udp(&leg));
}

void Relay::set_hold(Leg& leg, bool hold, Instant now) {
    if (leg.hold != hold) leg.changed = now;
    const bool resumes = leg.hold && !hold;
    leg.hold = hold;
    if (UdpLeg* udp_leg = as_udp(&leg)) udp.on_hold(*udp_leg, resumes, now);
}

void Relay::join(Leg& a, Leg& b, Instant now) {
    if (a.join != nullptr && a.peer() == &b) return;
    part(a, now);
    part(b, now);
    Join& made = legs.join(a, b, now);
    if (is_tcp(a.stream)) tcp.match_anew(made, now);
}

void Relay::part(Leg& leg, Instant now) {
    if (leg.join == nullptr) return;
    if (TcpLeg* tcp_leg = as_tcp(&leg)) tcp.on_parting(*tcp_leg, now);
    legs.part(leg, now);
}

void Relay::close(Leg& leg, Instant now) {
    if (TcpLeg* tcp_leg = as_tcp(&leg)) tcp.end_connections(*tcp_leg, now);
    part(leg, now);
}

void Relay::remove(LegKey key, Instant now) {
    Leg* leg = legs.find(key);
    if (leg == nullptr) return;
    close(*leg, now);
    (void)legs.extract(key);
}

void Relay::on_time(Instant now) {
    if (!legs.take_sweep(now)) return;
    tcp.end_late(now);
    for (const auto& [key, leg] : legs.legs()) {
        if (UdpLeg* udp_leg = as_udp(leg.get())) udp.sweep(*udp_leg);
        legs.tell_if_unjoined(*leg, now);
    }
    for (const auto& join : legs.joins()) {
        if (is_tcp(join->legs[0]->stream)) {
            tcp.sweep(*join, now);
        } else {
            udp.sweep(*join, now);
        }
    }
}

}  // namespace natkit::relay
