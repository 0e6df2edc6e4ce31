// What tests of relay::TcpRelay share: parties, and two legs between them.
#pragma once

#include <string>

#include "natkit/relay/relay.hpp"

namespace natkit::relay::parties {

inline constexpr Instant start{std::chrono::hours(1)};

inline Endpoint ep(const char* text) {
    return *Endpoint::parse(text);
}

inline Party lan(sdp::Setup setup, const char* endpoint = "192.168.10.5:5000") {
    return {.place = nat::Place::lan, .endpoint = ep(endpoint), .setup = setup};
}

inline Party far_end(sdp::Setup setup) {
    return {.place = nat::Place::far_end,
            .endpoint = ep("192.168.1.10:1503"),
            .visible = *IpAddress::parse("203.0.113.20"),
            .setup = setup};
}

inline SourcePolicy policy(const Party& party) {
    return source_policy(party.place, true);
}

/// Two legs and what they made the sockets do.
struct Bench {
    Relay relay{Timeouts{.silence = std::chrono::seconds(60), .hold = std::chrono::hours(2)}};
    Instant now = start;
    TcpLeg& a = relay.tcp.add(1, 1, start);
    TcpLeg& b = relay.tcp.add(2, 1, start);

    void tell(TcpLeg& leg, const Party& party, bool renew = false) {
        relay.signal(leg, party, policy(party), now, renew);
    }
    /// "dial 192.168.10.5:5000, couple, reset, close" as they come.
    std::string effects() {
        std::string text;
        for (const TcpEffect& effect : relay.tcp.take_effects()) {
            if (!text.empty()) text += ", ";
            if (effect.kind == TcpEffect::Kind::dial) {
                text += "dial " + to_string(effect.remote);
                dialled = effect.id;
            } else {
                text += effect.kind == TcpEffect::Kind::couple ? "couple" : effect.reset ? "reset" : "close";
            }
        }
        return text;
    }
    std::string events() {
        std::string text;
        for (const Event& event : relay.legs.take_events()) {
            if (!text.empty()) text += ", ";
            switch (event.kind) {
                case Event::Kind::refused: text += to_string(event.reason); break;
                case Event::Kind::connected: text += "connected"; break;
                case Event::Kind::disconnected: text += std::string("disconnected ") + to_string(event.ending); break;
                case Event::Kind::timed_out: text += "timed-out"; break;
                default: text += "?"; break;
            }
        }
        return text;
    }
    void pass(Duration time) {
        for (const Instant end = now + time; now < end;) {
            now += std::chrono::milliseconds(500);
            relay.on_time(now);
        }
    }
    ConnectionId dialled = 0;
};

}  // namespace natkit::relay::parties
