#pragma once

#include <optional>

#include "natkit/relay/leg_table.hpp"
#include "natkit/relay/tcp.hpp"
#include "natkit/relay/udp.hpp"

namespace natkit::relay {

/// The relay of one thread: who may send to which local port, and where it goes from there. One table has the legs and
/// joins of all kinds; `udp` forwards the packets of UDP legs, `tcp` brings the connections of TCP legs together, and
/// what signalling says of a leg goes to the one of the two whose leg it is. Pure: what sockets do and time come in,
/// decisions come out.
struct Relay {
    LegTable legs;
    UdpRelay udp{legs};
    TcpRelay tcp;

    explicit Relay(Timeouts timeouts, TcpTimes times = {}) : legs(timeouts), tcp(legs, times) {}

    /// The party as signalled now; the same again changes nothing. check_party() is the caller's. `renew` is RFC 4145's
    /// `connection:new`; of UDP legs: sources are looked at anew.
    void signal(Leg& leg, const Party& party, SourcePolicy policy, Instant now, bool renew = false);
    void set_hold(Leg& leg, bool hold, Instant now);

    /// Two legs of one kind. Legs that are joined otherwise are parted first; joining the same two again changes
    /// nothing.
    void join(Leg& a, Leg& b, Instant now);
    /// Ends the connections that both legs have with each other.
    void part(Leg& leg, Instant now);
    /// Parts it, and ends all of its connections: its port is closed.
    void close(Leg& leg, Instant now);
    /// Closes it first.
    void remove(LegKey key, Instant now);

    /// Looks for silence, one-way audio and connections that wait in vain. Due at next_deadline(); earlier calls do
    /// nothing. Call TcpRelay::on_progress() first.
    void on_time(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const noexcept { return legs.next_sweep(); }
};

}  // namespace natkit::relay
