#include "natkit/relay/relay.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

Endpoint at(const char* text) {
    return Endpoint::parse(text).value();
}

std::vector<std::uint8_t> rtp_packet(std::uint32_t ssrc, std::uint16_t sequence) {
    std::vector<std::uint8_t> bytes(172);
    bytes[0] = 0x80;
    bytes[2] = static_cast<std::uint8_t>(sequence >> 8);
    bytes[3] = static_cast<std::uint8_t>(sequence);
    const std::uint32_t timestamp = sequence * 160U;
    for (int i = 0; i < 4; ++i) {
        bytes[4 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(timestamp >> (24 - 8 * i));
        bytes[8 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
    }
    return bytes;
}

std::vector<std::uint8_t> rtcp_packet(std::uint32_t ssrc) {
    std::vector<std::uint8_t> bytes(28);
    bytes[0] = 0x80;
    bytes[1] = 200;
    for (int i = 0; i < 4; ++i)
        bytes[4 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(ssrc >> (24 - 8 * i));
    return bytes;
}

/// A phone on the LAN and one behind a NAT, joined.
struct Call {
    Relay relay{{.silence = 60s, .hold = 2h}};
    Instant now{1000s};
    UdpLeg* lan = nullptr;
    UdpLeg* far = nullptr;
    std::uint16_t sequence = 0;
    std::size_t confirmations = 0;  ///< among the events taken so far

    explicit Call(bool lan_mux = false, bool far_mux = false) {
        lan = &relay.udp.add(1, Stream::rtp, lan_mux, now);
        far = &relay.udp.add(2, Stream::rtp, far_mux, now);
        relay.signal(*lan, {.place = nat::Place::lan, .endpoint = at("192.168.10.5:4000")}, SourcePolicy::learn_port,
                     now);
        relay.signal(
            *far,
            {.place = nat::Place::far_end, .endpoint = at("10.0.0.2:6000"), .visible = at("198.51.100.7:0").address},
            SourcePolicy::latch, now);
        relay.join(*lan, *far, now);
    }
    /// Where a packet went: "leg component endpoint", or "-".
    std::string send(UdpLeg& leg, const char* source, const std::vector<std::uint8_t>& bytes,
                     Component component = Component::rtp) {
        const auto outcome = relay.udp.on_packet(leg, component, at(source), bytes, now);
        if (outcome.leg == nullptr) return "-";
        return std::to_string(outcome.leg->key) + " " + to_string(outcome.component) + " " +
               to_string(*outcome.endpoint);
    }
    void from_lan() { (void)send(*lan, "192.168.10.5:4000", rtp_packet(1, sequence++)); }
    void from_far() { (void)send(*far, "198.51.100.7:61000", rtp_packet(2, sequence++)); }
    /// Seconds pass, with what each side sends every 500 ms.
    void pass(int seconds, bool lan_sends, bool far_sends) {
        for (int i = 0; i < 2 * seconds; ++i) {
            now += 500ms;
            if (lan_sends) from_lan();
            if (far_sends) from_far();
            relay.on_time(now);
        }
    }
    std::string events() {
        std::string text;
        for (const Event& event : relay.legs.take_events()) {
            if (!text.empty() && event.kind != Event::Kind::confirmed) text += ", ";
            switch (event.kind) {
                case Event::Kind::latched:
                    text += "latched " + std::to_string(event.leg) + " " + to_string(event.component) + " " +
                            to_string(event.rule);
                    break;
                case Event::Kind::confirmed: ++confirmations; continue;
                case Event::Kind::proven:
                    text += "proven " + std::to_string(event.leg) + (event.cut ? " cut" : "");
                    break;
                case Event::Kind::refused:
                    text += "refused " + std::to_string(event.leg) + " " + to_string(event.reason);
                    break;
                case Event::Kind::audio:
                    text += to_string(event.audio);
                    if (event.mute != 0) text += " mute " + std::to_string(event.mute) + " " + to_string(event.cause);
                    break;
                case Event::Kind::timed_out:
                    text += "timeout " + std::to_string(event.leg) + " " + std::to_string(event.other) + " " +
                            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(event.silent).count());
                    break;
                case Event::Kind::connected:
                case Event::Kind::disconnected: text += "?"; break;
            }
        }
        return text;
    }
};

}  // namespace

TEST_CASE("relay::Relay: packets of a call, and what is counted") {
    Call call;
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtp_packet(1, 1)) == "-");  // the other side is not latched yet
    CHECK(call.send(*call.far, "198.51.100.7:61000", rtp_packet(2, 1)) == "1 rtp 192.168.10.5:4000");
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtp_packet(1, 2)) == "2 rtp 198.51.100.7:61000");
    CHECK(call.send(*call.far, "198.51.100.8:61000", rtp_packet(2, 2)) == "-");
    CHECK(call.send(*call.far, "198.51.100.8:61000", rtp_packet(2, 3)) == "-");
    CHECK(call.send(*call.lan, "192.168.10.5:4001", rtcp_packet(1), Component::rtcp) == "-");
    CHECK(call.send(*call.far, "198.51.100.7:61001", rtcp_packet(2), Component::rtcp) == "1 rtcp 192.168.10.5:4001");
    CHECK(call.events() ==
          "latched 1 rtp exact, latched 2 rtp latch, refused 2 wrong-address, latched 1 rtcp exact, latched 2 rtcp "
          "latch");
    const Counters& lan = call.lan->part(Component::rtp).counters;
    CHECK(lan.received_packets == 2);
    CHECK(lan.received_bytes == 344);
    CHECK(lan.sent_packets == 1);
    CHECK(lan.dropped(Drop::peer_unknown) == 1);
    CHECK(call.far->part(Component::rtp).counters.dropped(Drop::wrong_address) == 2);
}

TEST_CASE("relay::Relay: muxed and paired legs understand each other (RFC 5761)") {
    Call call(true, false);
    CHECK(call.send(*call.far, "198.51.100.7:61000", rtp_packet(2, 1)) == "1 rtp 192.168.10.5:4000");
    CHECK(call.send(*call.far, "198.51.100.7:61001", rtcp_packet(2), Component::rtcp) == "1 rtp 192.168.10.5:4000");
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtcp_packet(1)) == "2 rtcp 198.51.100.7:61001");
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtp_packet(1, 1)) == "2 rtp 198.51.100.7:61000");
}

TEST_CASE("relay::Relay: mux offered and not accepted, and accepted later") {
    Call call(true, true);
    CHECK(call.send(*call.far, "198.51.100.7:61000", rtp_packet(2, 1)) == "1 rtp 192.168.10.5:4000");
    // Before the answer is known, the RTCP of a party that does not mux comes to the port beside.
    CHECK(call.send(*call.far, "198.51.100.7:61001", rtcp_packet(2), Component::rtcp) == "1 rtp 192.168.10.5:4000");
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtcp_packet(1)) == "2 rtp 198.51.100.7:61000");
    call.far->mux = false;
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtcp_packet(1)) == "2 rtcp 198.51.100.7:61001");
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtp_packet(1, 1)) == "2 rtp 198.51.100.7:61000");
    call.lan->mux = false;
    CHECK(call.send(*call.far, "198.51.100.7:61001", rtcp_packet(2), Component::rtcp) == "1 rtcp 192.168.10.5:4001");
    call.far->mux = true;
    CHECK(call.send(*call.lan, "192.168.10.5:4001", rtcp_packet(1), Component::rtcp) == "2 rtp 198.51.100.7:61000");
}

TEST_CASE("relay::Relay: legs join, part, join others") {
    Call call;
    UdpLeg& third = call.relay.udp.add(3, Stream::udp, false, call.now);
    call.relay.signal(third, {.place = nat::Place::wan, .endpoint = at("203.0.113.9:7000")}, SourcePolicy::exact,
                      call.now);
    CHECK(call.send(third, "203.0.113.9:7000", {1, 2, 3}) == "-");
    CHECK(third.part(Component::rtp).counters.dropped(Drop::not_joined) == 1);
    call.relay.join(*call.lan, third, call.now);
    CHECK(call.far->join == nullptr);
    CHECK(call.relay.legs.joins().size() == 1);
    CHECK(call.send(third, "203.0.113.9:7000", {1, 2, 3}) == "1 rtp 192.168.10.5:4000");
    CHECK(call.send(*call.lan, "192.168.10.5:4001", rtcp_packet(1), Component::rtcp) == "-");  // T.38 has no RTCP
    call.relay.remove(3, call.now);
    CHECK(call.relay.legs.joins().size() == 0);
    CHECK(call.lan->peer() == nullptr);
    call.relay.join(*call.lan, *call.far, call.now);
    call.relay.join(*call.far, *call.lan, call.now);
    CHECK(call.relay.legs.joins().size() == 1);
}

TEST_CASE("relay::Relay: a refused sending is taken back and told once") {
    Call call;
    call.from_far();
    for (int i = 0; i < 2; ++i) {
        const auto outcome =
            call.relay.udp.on_packet(*call.lan, Component::rtp, at("192.168.10.5:4000"), rtp_packet(1, 1), call.now);
        call.relay.udp.not_sent(*call.lan, Component::rtp, outcome, 172);
    }
    CHECK(call.far->part(Component::rtp).counters.sent_packets == 0);
    CHECK(call.events() == "latched 2 rtp latch, latched 1 rtp exact, refused 1 not-sent");
}

TEST_CASE("relay::Relay: one-way and two-way audio, and why") {
    Call call;
    call.pass(6, true, false);
    CHECK(call.events() == "latched 1 rtp exact, one-way mute 2 not-latched");
    call.pass(2, true, true);
    CHECK(call.events() == "latched 2 rtp latch, two-way");
    call.pass(7, true, false);
    CHECK(call.events() == "one-way mute 2 stopped");
    call.pass(2, true, true);
    CHECK(call.events() == "two-way");
    for (int i = 0; i < 12; ++i) {  // a phone whose NAT changed both port and, by a fault, SSRC
        (void)call.send(*call.far, "198.51.100.7:62000", rtp_packet(99, 1));
        call.pass(1, true, false);
    }
    CHECK(call.events() == "refused 2 wrong-port, one-way mute 2 source-refused");
    call.relay.set_hold(*call.lan, true, call.now);
    call.pass(10, false, false);
    CHECK(call.events() == "held");
    call.relay.set_hold(*call.lan, false, call.now);
    call.pass(2, true, true);
    CHECK(call.events() == "two-way");
}

TEST_CASE("relay::Relay: the side that never sends, though nothing hinders it") {
    Call call;
    call.pass(6, false, true);
    CHECK(call.events() == "latched 2 rtp latch, one-way mute 1 never-sent");
}

TEST_CASE("relay::Relay: silence ends a join, hold prolongs it, a leg nobody joins ends too") {
    Call call;
    call.pass(10, true, true);
    (void)call.events();
    call.pass(59, false, false);
    CHECK(call.events() == "silent");
    call.pass(2, false, false);
    CHECK(call.events() == "timeout 1 2 60, timeout 1 2 61");  // as long as its owner keeps it
    call.pass(2, true, true);
    CHECK(call.events() == "two-way");
    call.pass(59, false, false);
    CHECK(call.events() == "silent");
    call.pass(1, false, false);
    CHECK(call.events() == "timeout 1 2 60");

    Call held;
    held.relay.set_hold(*held.far, true, held.now);
    held.pass(7199, false, false);
    CHECK(held.events().empty());
    held.pass(1, false, false);
    CHECK(held.events() == "timeout 1 2 7200");

    Call parted;
    parted.relay.part(*parted.lan, parted.now);
    parted.relay.remove(2, parted.now);
    parted.pass(7201, false, false);
    CHECK(parted.events() == "timeout 1 0 7200");
}

TEST_CASE("relay::Relay: one side alone keeps a join alive") {
    Call call;
    call.pass(200, true, false);
    CHECK(call.events() == "latched 1 rtp exact, one-way mute 2 not-latched");
}

TEST_CASE("relay::Relay: rebinding takes RTCP along") {
    Call call;
    call.from_far();
    CHECK(call.send(*call.far, "198.51.100.7:61001", rtcp_packet(2), Component::rtcp) == "1 rtcp 192.168.10.5:4001");
    call.now += 3s;
    CHECK(call.send(*call.far, "198.51.100.7:63001", rtcp_packet(2), Component::rtcp) == "-");
    CHECK(call.send(*call.far, "198.51.100.7:63000", rtp_packet(2, call.sequence++)) == "1 rtp 192.168.10.5:4000");
    CHECK(call.send(*call.far, "198.51.100.7:63001", rtcp_packet(2), Component::rtcp) == "1 rtcp 192.168.10.5:4001");
    CHECK(
        call.events() ==
        "latched 2 rtp latch, latched 2 rtcp latch, refused 2 wrong-port, latched 2 rtp rebind, latched 2 rtcp rebind");
}

TEST_CASE("relay::Relay: RTCP follows its RTP by address and SSRC, whoever came first") {
    Call call;
    // A stranger at the NAT's address knows no SSRC. It is heard until the party has come.
    CHECK(call.send(*call.far, "198.51.100.7:50001", rtcp_packet(666), Component::rtcp) == "1 rtcp 192.168.10.5:4001");
    for (int i = 0; i < 3; ++i) call.from_far();
    CHECK(call.send(*call.far, "198.51.100.7:61001", rtcp_packet(2), Component::rtcp) == "-");
    call.from_far();
    CHECK(call.send(*call.far, "198.51.100.7:50001", rtcp_packet(666), Component::rtcp) == "1 rtcp 192.168.10.5:4001");
    CHECK(call.send(*call.far, "198.51.100.7:61001", rtcp_packet(2), Component::rtcp) == "1 rtcp 192.168.10.5:4001");
    CHECK(call.send(*call.far, "198.51.100.7:50001", rtcp_packet(666), Component::rtcp) == "-");
    CHECK(call.send(*call.far, "198.51.100.7:50001", rtcp_packet(2), Component::rtcp) == "-");
    CHECK(call.events() == "latched 2 rtcp latch, latched 2 rtp latch, refused 2 wrong-port, latched 2 rtcp rebind");
    CHECK(call.confirmations == 1);
}

TEST_CASE("relay::Relay: one empty datagram before the phone's first packet does not take its leg") {
    Call call;
    CHECK(call.send(*call.far, "198.51.100.7:50000", {}) == "1 rtp 192.168.10.5:4000");
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtp_packet(1, 1)) == "2 rtp 198.51.100.7:50000");
    // The phone's first packet is relayed, and answered: nothing is lost at the start of the call.
    CHECK(call.send(*call.far, "198.51.100.7:61000", rtp_packet(2, 1)) == "1 rtp 192.168.10.5:4000");
    CHECK(call.send(*call.lan, "192.168.10.5:4000", rtp_packet(1, 2)) == "2 rtp 198.51.100.7:61000");
    CHECK(call.send(*call.far, "198.51.100.7:50000", {}) == "-");
}

TEST_CASE("relay::Relay: a party that may not send keeps its place, however long it is silent") {
    struct Case {
        const char* why;
        sdp::Direction direction;
        bool hold;
        bool moves;
    };
    const Case cases[] = {{"it sends both ways", sdp::Direction::sendrecv, false, true},
                          {"it holds the other party, and plays music", sdp::Direction::sendonly, true, true},
                          {"it is on hold", sdp::Direction::recvonly, true, false},
                          {"neither sends", sdp::Direction::inactive, true, false},
                          {"a script knows no more than that there is a hold", sdp::Direction::sendrecv, true, false}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Call call;
        for (int i = 0; i < 4; ++i) call.from_far();
        call.relay.signal(*call.far,
                          {.place = nat::Place::far_end,
                           .endpoint = at("10.0.0.2:6000"),
                           .visible = at("198.51.100.7:0").address,
                           .direction = c.direction},
                          SourcePolicy::latch, call.now);
        call.relay.set_hold(*call.far, c.hold, call.now);
        call.now += 30s;
        CHECK((call.send(*call.far, "198.51.100.7:62000", rtp_packet(2, call.sequence)) != "-") == c.moves);
    }
}

TEST_CASE("relay::Relay: a stranger's endpoint gets media for five seconds, and on once it is proven") {
    struct WanCall : Call {
        UdpLeg* wan = nullptr;
        Party party{.place = nat::Place::wan, .endpoint = at("203.0.113.9:7000"), .unproven = true};
        WanCall() {
            wan = &relay.udp.add(3, Stream::rtp, false, now);
            relay.signal(*wan, party, SourcePolicy::exact, now);
            relay.join(*lan, *wan, now);
            from_lan();
            (void)events();
        }
        bool reaches() { return send(*lan, "192.168.10.5:4000", rtp_packet(1, sequence++)) != "-"; }
    };
    SUBCASE("no longer, if nothing comes from there") {
        WanCall call;
        call.now += 4900ms;
        CHECK(call.reaches());
        call.now += 100ms;
        CHECK_FALSE(call.reaches());
        CHECK_FALSE(call.reaches());
        CHECK(call.send(*call.lan, "192.168.10.5:4001", rtcp_packet(1), Component::rtcp) == "-");
        CHECK(call.events() == "refused 3 unproven, latched 1 rtcp exact, refused 3 unproven");
        CHECK(call.wan->part(Component::rtp).counters.dropped(Drop::unproven) == 2);
        // Its own packet from elsewhere proves nothing; one from there does, RTCP too.
        CHECK(call.send(*call.wan, "203.0.113.9:7002", rtp_packet(3, 1)) == "-");
        CHECK_FALSE(call.reaches());
        CHECK(call.send(*call.wan, "203.0.113.9:7001", rtcp_packet(3), Component::rtcp) != "-");
        CHECK(call.reaches());
        CHECK(call.events() == "refused 3 wrong-port, proven 3 cut");
        call.now += 100s;
        CHECK(call.reaches());
    }
    SUBCASE("what came in time keeps it going, an empty datagram too") {
        WanCall call;
        (void)call.send(*call.wan, "203.0.113.9:7000", {});
        call.now += 60s;
        CHECK(call.reaches());
        CHECK(call.events() == "proven 3");
    }
    SUBCASE("signalling proves it") {
        WanCall call;
        call.now += 6s;
        CHECK_FALSE(call.reaches());
        call.party.unproven = false;
        call.relay.signal(*call.wan, call.party, SourcePolicy::exact, call.now);
        CHECK(call.reaches());
    }
    SUBCASE("one endpoint after the other gets no more than one") {
        WanCall call;
        for (int i = 0; i < 4; ++i) {
            call.now += 1s;
            CHECK(call.reaches());
            call.party.endpoint = Endpoint{call.party.endpoint->address, static_cast<std::uint16_t>(7010 + 2 * i)};
            call.relay.signal(*call.wan, call.party, SourcePolicy::exact, call.now);
            CHECK(call.reaches());
        }
        call.now += 1s;
        CHECK_FALSE(call.reaches());
    }
    SUBCASE("one that is proven does not prove the next") {
        WanCall call;
        (void)call.send(*call.wan, "203.0.113.9:7000", {});
        call.party.endpoint = at("203.0.113.77:7000");
        call.relay.signal(*call.wan, call.party, SourcePolicy::exact, call.now);
        CHECK(call.reaches());
        call.now += 5s;
        CHECK_FALSE(call.reaches());
    }
    SUBCASE("the same signalling again does not ask for the proof again") {
        WanCall call;
        (void)call.send(*call.wan, "203.0.113.9:7000", {});
        call.relay.signal(*call.wan, call.party, SourcePolicy::exact, call.now);
        call.now += 6s;
        CHECK(call.reaches());
    }
}

TEST_CASE("relay::check_party") {
    Surroundings around;
    around.networks.nated = nat::default_nated();
    struct Case {
        const char* why;
        Party party;
        const char* error;  ///< null: fine
    };
    const Case cases[] = {
        {"far-end: its private endpoint is never used",
         {.place = nat::Place::far_end, .endpoint = at("10.0.0.2:6000"), .visible = at("198.51.100.7:0").address},
         nullptr},
        {"far-end without a visible address",
         {.place = nat::Place::far_end, .endpoint = at("10.0.0.2:6000")},
         "a far-end party needs its visible address"},
        {"far-end behind a private address on the WAN",
         {.place = nat::Place::far_end, .visible = at("10.0.0.2:0").address},
         "nothing is relayed to 10.0.0.2:0: it is a private address, and the party is reached by way of the WAN"},
        {"an answer that has not come yet", {.place = nat::Place::wan}, nullptr},
        {"a rejected stream",
         {.place = nat::Place::wan, .endpoint = at("203.0.113.9:0")},
         "port 0 is no place to send to"},
        {"RTCP to loopback",
         {.place = nat::Place::wan, .endpoint = at("203.0.113.9:4000"), .rtcp = at("127.0.0.1:22")},
         "nothing is relayed to 127.0.0.1:22: it is a loopback address"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto checked = check_party(c.party, Side::wan, around);
        REQUIRE(checked.has_value() == (c.error == nullptr));
        if (c.error != nullptr) CHECK(checked.error().message == c.error);
    }
}
