#include "natkit/relay/promotion.hpp"

#include <doctest/doctest.h>

#include <functional>

#include "natkit/relay/relay.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

constexpr const char* lan_source = "192.168.10.5:4000";
constexpr const char* far_source = "198.51.100.7:61000";

Endpoint at(const char* text) {
    return Endpoint::parse(text).value();
}

std::vector<std::uint8_t> rtp_of(std::uint32_t ssrc, std::uint16_t sequence) {
    std::vector<std::uint8_t> bytes(172);
    bytes[0] = 0x80;
    bytes[2] = static_cast<std::uint8_t>(sequence >> 8);
    bytes[3] = static_cast<std::uint8_t>(sequence);
    bytes[11] = static_cast<std::uint8_t>(ssrc);
    return bytes;
}

/// A phone on the LAN and one behind a NAT, joined, both of whom have talked for three seconds.
struct Talk {
    Relay relay{{.silence = 60s, .hold = 2h}};
    Instant now{1000s};
    UdpLeg* lan = nullptr;
    UdpLeg* far = nullptr;
    std::uint16_t sequence = 0;

    explicit Talk(bool lan_mux = false, bool far_mux = false, bool joined = true) {
        lan = &relay.udp.add(1, Stream::rtp, lan_mux, now);
        far = &relay.udp.add(2, Stream::rtp, far_mux, now);
        relay.signal(*lan, lan_party(), SourcePolicy::learn_port, now);
        relay.signal(*far, far_party(), SourcePolicy::latch, now);
        if (joined) relay.join(*lan, *far, now);
    }
    static Party lan_party() { return {.place = nat::Place::lan, .endpoint = at(lan_source)}; }
    static Party far_party() {
        return {.place = nat::Place::far_end, .endpoint = at("10.0.0.2:6000"), .visible = at("198.51.100.7:0").address};
    }
    void talk(Duration time, bool lan_sends = true, bool far_sends = true) {
        for (const Instant end = now + time; now < end; now += 20ms, ++sequence) {
            if (lan_sends) (void)relay.udp.on_packet(*lan, Component::rtp, at(lan_source), rtp_of(1, sequence), now);
            if (far_sends) (void)relay.udp.on_packet(*far, Component::rtp, at(far_source), rtp_of(2, sequence), now);
        }
    }
    [[nodiscard]] bool forwards(bool tried = false) const {
        return may_forward(*lan, Component::rtp, now, tried) && may_forward(*far, Component::rtp, now, tried);
    }
};

}  // namespace

TEST_CASE("relay::may_forward: a stream that is confirmed on both sides, and what it becomes") {
    Talk call;
    CHECK_FALSE(call.forwards());
    call.talk(500ms);
    CHECK_FALSE(call.forwards());  // signalling has just spoken
    call.talk(2500ms);
    const auto found = may_forward(*call.lan, Component::rtp, call.now);
    REQUIRE(found);
    CHECK(*found == Forwarding{.to = call.far,
                               .out = Component::rtp,
                               .source = at(lan_source),
                               .destination = at(far_source),
                               .kind = Forwarding::Kind::rtp,
                               .ssrc = 1});
    CHECK(may_forward(*call.far, Component::rtp, call.now)->ssrc == 2);
    CHECK_FALSE(may_forward(*call.lan, Component::rtcp, call.now));  // none has come
}

TEST_CASE("relay::may_forward: what keeps a stream with the relay, and what takes it back") {
    struct Case {
        const char* why;
        std::function<void(Talk&)> change;
    };
    const Case cases[] = {
        {"hold of one side", [](Talk& c) { c.relay.set_hold(*c.far, true, c.now); }},
        {"its end", [](Talk& c) { c.relay.part(*c.lan, c.now); }},
        {"a re-INVITE that names another endpoint",
         [](Talk& c) {
             Party moved = Talk::lan_party();
             moved.endpoint = at("192.168.10.5:4100");
             c.relay.signal(*c.lan, moved, SourcePolicy::learn_port, c.now);
         }},
        {"another visible address",
         [](Talk& c) {
             Party moved = Talk::far_party();
             moved.visible = at("198.51.100.8:0").address;
             c.relay.signal(*c.far, moved, SourcePolicy::latch, c.now);
         }},
        {"resuming from hold",
         [](Talk& c) {
             c.relay.set_hold(*c.far, true, c.now);
             c.relay.set_hold(*c.far, false, c.now);
         }},
    };
    for (const Case& each : cases) {
        CAPTURE(each.why);
        Talk call;
        call.talk(3s);
        REQUIRE(call.forwards());
        each.change(call);
        CHECK_FALSE(call.forwards(true));
    }
    Talk one_sided;
    one_sided.talk(3s, true, false);
    CHECK_FALSE(one_sided.forwards());
}

TEST_CASE("relay::may_forward: RTCP of a muxed leg has its own port only where the other side has") {
    struct Case {
        bool lan_mux, far_mux;
        Forwarding::Kind kind;
    };
    for (const Case& each : {Case{false, false, Forwarding::Kind::rtp}, Case{true, false, Forwarding::Kind::rtp},
                             Case{true, true, Forwarding::Kind::both}}) {
        Talk call(each.lan_mux, each.far_mux);
        call.talk(3s);
        CHECK(may_forward(*call.lan, Component::rtp, call.now)->kind == each.kind);
    }
}

TEST_CASE("relay::take_in: what has gone by counts as if it had been relayed") {
    Talk call;
    call.talk(3s);
    const auto before = call.lan->statistics.progress();
    const auto counted = call.lan->part(Component::rtp).counters;
    const auto sent = call.far->part(Component::rtp).counters;
    auto progress = before;
    progress.sequence += 1003;  // three of them are lost
    progress.packets = 1000;
    progress.jitter = 2ms;
    call.now += 20s;
    take_in(*call.lan, Component::rtp, Component::rtp,
            {.packets = 1000, .bytes = 172000, .last = call.now - 1s, .ssrc = 1, .rtp = progress});
    CHECK(call.lan->part(Component::rtp).counters.received_packets == counted.received_packets + 1000);
    CHECK(call.lan->part(Component::rtp).counters.last_received == call.now - 1s);
    CHECK(call.far->part(Component::rtp).counters.sent_packets == sent.sent_packets + 1000);
    CHECK(call.lan->statistics.lost() == 3);
    CHECK(call.lan->statistics.expected() == counted.received_packets + 1003);

    // Its silence counts from its last packet: nobody takes its place before, another with its stream does after.
    const auto next = static_cast<std::uint16_t>(progress.sequence + 50);
    const auto other = [&] {
        return call.relay.udp.on_packet(*call.far, Component::rtp, at("198.51.100.7:62000"), rtp_of(2, next), call.now);
    };
    take_in(*call.far, Component::rtp, Component::rtp,
            {.packets = 1,
             .bytes = 172,
             .last = call.now - 1s,
             .ssrc = 2,
             .rtp = rtp::ReceiverStatistics::Progress{.ssrc = 2, .sequence = progress.sequence, .packets = 1}});
    CHECK(other().leg == nullptr);
    call.now += 2s;
    CHECK(other().leg == call.lan);
}

TEST_CASE("rtp::ReceiverStatistics: a count that somebody else began is carried on over wraps of the sequence") {
    rtp::ReceiverStatistics statistics;
    statistics.carry_on({.ssrc = 5, .start_sequence = 65000, .sequence = 65000 + 2000, .packets = 1990, .jitter = 3ms});
    CHECK(statistics.expected() == 2000);
    CHECK(statistics.lost() == 10);
    CHECK(statistics.ssrc() == 5U);
    // And on by itself, and handed over again.
    statistics.on_packet({.payload_type = 0, .sequence = 67001 - 65536, .timestamp = 0, .ssrc = 5}, Instant{10s});
    CHECK(statistics.expected() == 2001);
    CHECK(statistics.lost() == 10);
    auto progress = statistics.progress();
    CHECK(progress.sequence == 67001);
    progress.sequence += 100;
    progress.packets = 100;
    statistics.carry_on(progress);
    CHECK(statistics.expected() == 2101);
    CHECK(statistics.lost() == 10);
    // A jump of the sequence is no loss.
    progress = statistics.progress();
    progress.sequence += 30000;
    progress.skipped = 29990;
    progress.packets = 10;
    statistics.carry_on(progress);
    CHECK(statistics.expected() == 2111);
    CHECK(statistics.lost() == 10);
}
