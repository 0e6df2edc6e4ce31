#include "natkit/relay/latch.hpp"

#include "latch_steps.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace latch_steps;
using namespace std::chrono_literals;

TEST_CASE("relay::Latch: who may send, and where packets go") {
    const Case cases[] = {
        {"nobody signalled: nothing in, nothing out", {packet(0s, "198.51.100.7:4000", "no-party", "-")}},
        {"exact: the signalled endpoint and nothing else, at once and for good",
         {signal(0s, exact("203.0.113.9:4000"), "203.0.113.9:4000"), packet(1s, "203.0.113.9:4001", "wrong-port"),
          packet(1s, "203.0.113.8:4000", "wrong-address"), packet(1s, "203.0.113.9:4000", "ok", "203.0.113.9:4000"),
          packet(100s, "203.0.113.9:4001", "wrong-port", "203.0.113.9:4000")}},
        {"exact: no rebinding, however well it fits",
         {signal(0s, exact("203.0.113.9:4000")), rtp(0s, "203.0.113.9:4000", 7, 1, "ok"),
          rtp(9s, "203.0.113.9:4001", 7, 2, "wrong-port")}},
        {"learn-port: sends to the signalled port until the first packet shows another",
         {signal(0s, learn("192.168.10.5:4000"), "192.168.10.5:4000"), packet(0s, "192.168.10.6:4000", "wrong-address"),
          packet(0s, "192.168.10.5:5000", "ok port-learned", "192.168.10.5:5000"),
          packet(0s, "192.168.10.5:4000", "ok exact", "192.168.10.5:4000")}},
        {"learn-port: the signalled port itself is learned as such",
         {signal(0s, learn("192.168.10.5:4000")), packet(0s, "192.168.10.5:4000", "ok exact", "192.168.10.5:4000"),
          packet(0s, "192.168.10.5:5000", "ok", "192.168.10.5:4000")}},
        {"learn-port: any port is heard; one that was learned stays the target beside a third",
         {signal(0s, learn("192.168.10.5:4000")), packet(0s, "192.168.10.5:5000", "ok port-learned"),
          packet(0s, "192.168.10.5:5001", "ok", "192.168.10.5:5000"), rtp(1s, "192.168.10.5:5000", 7, 1, "ok"),
          rtp(1s, "192.168.10.5:5001", 8, 1, "ok"), packet(1s, "192.168.10.5:5000", "ok", "192.168.10.5:5000")}},
        {"learn-port: while the signalled port sends, it is the target; then the one that was learned",
         {signal(0s, learn("203.0.113.9:4000")), rtp(0s, "203.0.113.9:5000", 7, 1, "ok port-learned"),
          rtp(0s, "203.0.113.9:4000", 8, 1, "ok exact"), rtp(1s, "203.0.113.9:5000", 7, 2, "ok"),
          rtp(1s, "203.0.113.9:4000", 8, 2, "ok"), rtp(2s, "203.0.113.9:5000", 7, 3, "ok"),
          rtp(3s, "203.0.113.9:5000", 7, 4, "ok port-learned"),
          packet(3s, "203.0.113.9:5000", "ok", "203.0.113.9:5000"),
          packet(4s, "203.0.113.9:4000", "ok exact", "203.0.113.9:4000")}},
        {"one-port: as learn-port, but others are refused once one is learned; the signalled one never is",
         {signal(0s, ruled("203.0.113.9:4000", SourcePolicy::one_port), "203.0.113.9:4000"),
          packet(0s, "203.0.113.8:4000", "wrong-address"),
          packet(0s, "203.0.113.9:5000", "ok port-learned", "203.0.113.9:5000"),
          packet(0s, "203.0.113.9:5001", "wrong-port", "203.0.113.9:5000"),
          packet(0s, "203.0.113.9:4000", "ok exact", "203.0.113.9:4000"),
          packet(0s, "203.0.113.9:5000", "wrong-port", "203.0.113.9:4000")}},
        {"one-port: a silence opens it to nobody, not even to who carries the stream on",
         {signal(0s, ruled("203.0.113.9:4000", SourcePolicy::one_port)), rtp(0s, "203.0.113.9:4000", 7, 1, "ok exact"),
          rtp(0s, "203.0.113.9:4000", 7, 2, "ok"), rtp(9s, "203.0.113.9:5000", 7, 3, "wrong-port"),
          rtp(9s, "203.0.113.9:5000", 7, 4, "wrong-port"), packet(9s, "203.0.113.9:4000", "ok", "203.0.113.9:4000")}},
        {"any-port: any port is heard, and the signalled one alone is sent to",
         {signal(0s, ruled("203.0.113.9:4000", SourcePolicy::any_port), "203.0.113.9:4000"),
          packet(0s, "203.0.113.8:4000", "wrong-address"), packet(0s, "203.0.113.9:5000", "ok", "203.0.113.9:4000"),
          rtp(1s, "203.0.113.9:5001", 7, 1, "ok"), packet(9s, "203.0.113.9:5001", "ok", "203.0.113.9:4000")}},
        {"first-source: nothing is sent before the first packet, from wherever; then only that one is heard",
         {signal(0s, ruled("192.168.1.5:4000", SourcePolicy::first_source), "-"),
          rtp(0s, "198.51.100.7:61000", 7, 1, "ok latch"), packet(0s, "198.51.100.7:61000", "ok", "198.51.100.7:61000"),
          packet(0s, "198.51.100.8:61000", "wrong-address", "198.51.100.7:61000")}},
        {"latch: nothing is sent before the first packet from the visible address",
         {signal(0s, far_end("198.51.100.7"), "-"), packet(0s, "198.51.100.8:4000", "wrong-address", "-"),
          packet(0s, "192.168.1.5:4000", "wrong-address", "-"),
          packet(0s, "198.51.100.7:61000", "ok latch", "198.51.100.7:61000"),
          packet(0s, "198.51.100.7:61001", "wrong-port", "198.51.100.7:61000")}},
        {"latch: any address of a multihomed NAT, and then only the one that came first",
         {signal(0s, far_end("203.0.113.64-203.0.113.79")), packet(0s, "203.0.113.80:4000", "wrong-address"),
          packet(0s, "203.0.113.70:4000", "ok latch", "203.0.113.70:4000"),
          packet(0s, "203.0.113.71:4000", "wrong-address", "203.0.113.70:4000")}},
        {"the same signal again changes nothing: a retransmitted answer",
         {signal(0s, far_end("198.51.100.7")), packet(0s, "198.51.100.7:61000", "ok latch"),
          signal(1s, far_end("198.51.100.7"), "198.51.100.7:61000"), packet(1s, "198.51.100.7:61001", "wrong-port")}},
    };
    for (const Case& c : cases) run(c);
}

TEST_CASE("relay::Latch: rebind") {
    const auto latched = [](std::vector<Step> then) {
        std::vector<Step> steps{signal(0s, far_end("198.51.100.7")),
                                rtp(0s, "198.51.100.7:61000", 7, 65000, "ok latch")};
        steps.insert(steps.end(), then.begin(), then.end());
        return steps;
    };
    const Case cases[] = {
        {"silent for 2 s, same SSRC, the sequence goes on",
         latched({rtp(2s, "198.51.100.7:61009", 7, 65100, "ok rebind"),
                  rtp(2s, "198.51.100.7:61000", 7, 65001, "wrong-port")})},
        {"over the wrap of the sequence", latched({rtp(3s, "198.51.100.7:61009", 7, 100, "ok rebind")})},
        {"too early", latched({rtp(1999ms, "198.51.100.7:61009", 7, 65100, "wrong-port")})},
        {"the old source still sends", latched({rtp(1s, "198.51.100.7:61000", 7, 65050, "ok"),
                                                rtp(2500ms, "198.51.100.7:61009", 7, 65100, "wrong-port")})},
        {"another SSRC", latched({rtp(5s, "198.51.100.7:61009", 8, 65100, "wrong-port")})},
        {"a sequence from before: late packets", latched({rtp(5s, "198.51.100.7:61009", 7, 64990, "wrong-port")})},
        {"the very same sequence: a copy", latched({rtp(5s, "198.51.100.7:61009", 7, 65000, "wrong-port")})},
        {"a sequence far off: a guess", latched({rtp(5s, "198.51.100.7:61009", 7, 30000, "wrong-port")})},
        {"the right stream from another address", latched({rtp(5s, "198.51.100.8:61000", 7, 65100, "wrong-address")})},
        {"not RTP", latched({packet(5s, "198.51.100.7:61009", "wrong-port")})},
        {"muxed RTCP does not hide the sequence",
         latched({rtp(10ms, "198.51.100.7:61000", 7, -1, "ok"), rtp(5s, "198.51.100.7:61009", 7, -1, "wrong-port"),
                  rtp(5s, "198.51.100.7:61009", 7, 65100, "ok rebind")})},
        {"another address of the same site",
         {signal(0s, far_end("203.0.113.64-203.0.113.79")), rtp(0s, "203.0.113.64:1000", 7, 1, "ok latch"),
          rtp(3s, "203.0.113.65:1000", 7, 2, "ok rebind")}},
        {"a LAN phone that changes its port",
         {signal(0s, learn("192.168.10.5:4000")), rtp(0s, "192.168.10.5:4000", 7, 1, "ok exact"),
          rtp(3s, "192.168.10.5:4002", 7, 2, "ok rebind")}},
    };
    for (const Case& c : cases) run(c);
}

TEST_CASE("relay::Latch: RTCP follows its RTP sibling's rebinding, and nothing else") {
    Latch rtcp;
    const Instant now(100s);
    rtcp.signal(far_end("198.51.100.7"), now);
    const StreamMark mark{.ssrc = 7, .sequence = {}};
    CHECK(outcome(rtcp.on_packet(at("198.51.100.7:61001"), mark, now)) == "ok latch");
    CHECK(outcome(rtcp.on_packet(at("198.51.100.7:61010"), mark, now + 9s)) == "wrong-port");
    rtcp.follow(at("198.51.100.7:0").address, 7);
    CHECK(outcome(rtcp.on_packet(at("198.51.100.7:61010"), StreamMark{8, {}}, now + 9s)) == "wrong-port");
    CHECK(outcome(rtcp.on_packet(at("198.51.100.7:61010"), mark, now + 9s)) == "ok rebind");
    CHECK(outcome(rtcp.on_packet(at("198.51.100.7:61012"), mark, now + 9s)) == "wrong-port");
}

TEST_CASE("relay::Latch: quarantine after signalling changed an endpoint") {
    const Case cases[] = {
        {"late packets from the old port cannot pull the latch back",
         {signal(0s, far_end("198.51.100.7", "192.168.1.5:4000")), packet(0s, "198.51.100.7:61000", "ok latch"),
          signal(10s, far_end("198.51.100.7", "192.168.1.5:4002"), "-"),
          packet(10s, "198.51.100.7:61000", "quarantined", "-"),
          packet(11s, "198.51.100.7:61002", "ok latch", "198.51.100.7:61002"),
          packet(14s, "198.51.100.7:61000", "wrong-port", "198.51.100.7:61002")}},
        {"it ends after 3 s when only the old one still sends",
         {signal(0s, far_end("198.51.100.7", "192.168.1.5:4000")), packet(0s, "198.51.100.7:61000", "ok latch"),
          signal(10s, far_end("198.51.100.7", "192.168.1.5:4002")),
          packet(12999ms, "198.51.100.7:61000", "quarantined"),
          packet(13s, "198.51.100.7:61000", "ok latch", "198.51.100.7:61000")}},
        {"LAN: packets go to the new endpoint at once",
         {signal(0s, learn("192.168.10.5:4000")), packet(0s, "192.168.10.5:5000", "ok port-learned"),
          signal(10s, learn("192.168.10.5:4002"), "192.168.10.5:4002"), packet(10s, "192.168.10.5:5000", "quarantined"),
          packet(10s, "192.168.10.5:4002", "ok exact"), packet(11s, "192.168.10.5:5000", "quarantined"),
          packet(12s, "192.168.10.5:4002", "ok"),
          packet(14s, "192.168.10.5:5000", "quarantined", "192.168.10.5:4002")}},
        {"going back to where it was is not late",
         {signal(0s, learn("192.168.10.5:4000")), packet(0s, "192.168.10.5:4000", "ok exact"),
          signal(5s, learn("192.168.10.5:4002")), packet(5s, "192.168.10.5:4002", "ok exact"),
          signal(6s, learn("192.168.10.5:4000")), packet(6s, "192.168.10.5:4000", "ok exact"),
          packet(6s, "192.168.10.5:4002", "quarantined", "192.168.10.5:4000")}},
        {"any port of an address is not the one before: quarantine comes first",
         {signal(0s, learn("203.0.113.9:4000")), packet(0s, "203.0.113.9:4000", "ok exact"),
          signal(5s, learn("203.0.113.9:4002"), "203.0.113.9:4002"), packet(5s, "203.0.113.9:4000", "quarantined"),
          packet(5s, "203.0.113.9:4001", "ok port-learned"), packet(6s, "203.0.113.9:4000", "quarantined"),
          packet(8s, "203.0.113.9:4000", "ok", "203.0.113.9:4001")}},
        {"two changes in a row: the one that really sent stays in quarantine",
         {signal(0s, far_end("198.51.100.7", "192.168.1.5:4000")), packet(0s, "198.51.100.7:61000", "ok latch"),
          signal(10s, far_end("198.51.100.7", "192.168.1.5:4002")),
          signal(11s, far_end("198.51.100.7", "192.168.1.5:4004")), packet(11s, "198.51.100.7:61000", "quarantined")}},
        {"the party is somewhere else now: the old address is refused for good",
         {signal(0s, far_end("198.51.100.7")), packet(0s, "198.51.100.7:61000", "ok latch"),
          signal(10s, far_end("198.51.100.99")), packet(20s, "198.51.100.7:61000", "wrong-address", "-")}},
    };
    for (const Case& c : cases) run(c);
}

TEST_CASE("relay::Latch: the answer of a party that sends early replaces nothing") {
    Latch latch;
    const Latch::Signal visible{.policy = SourcePolicy::latch, .endpoint = {}, .allowed = range("203.0.113.9")};
    latch.signal(visible, Instant{});
    CHECK(outcome(latch.on_packet(at("203.0.113.9:50000"), {}, Instant{} + 1ms)) == "ok latch");
    latch.signal(far_end("203.0.113.9"), Instant{} + 2ms);
    CHECK(outcome(latch.on_packet(at("203.0.113.9:50000"), {}, Instant{} + 3ms)) == "ok");
    CHECK(outcome(latch.on_packet(at("203.0.113.9:50001"), {}, Instant{} + 4ms)) == "wrong-port");
    latch.signal(far_end("203.0.113.9", "192.168.1.5:5000"), Instant{} + 5ms);
    CHECK(outcome(latch.on_packet(at("203.0.113.9:50000"), {}, Instant{} + 6ms)) == "quarantined");
}

TEST_CASE("relay::Latch: a resumed party may come from a new binding, and keeps the old one until it does") {
    Latch latch;
    const Instant now(100s);
    latch.signal(far_end("198.51.100.7"), now);
    CHECK(outcome(latch.on_packet(at("198.51.100.7:61000"), {}, now)) == "ok latch");
    latch.reopen();
    CHECK(latch.target() == at("198.51.100.7:61000"));
    CHECK(outcome(latch.on_packet(at("198.51.100.8:61000"), {}, now)) == "wrong-address");
    CHECK(outcome(latch.on_packet(at("198.51.100.7:62000"), {}, now)) == "ok latch");
    CHECK(outcome(latch.on_packet(at("198.51.100.7:61000"), {}, now)) == "wrong-port");
    latch.reopen();
    CHECK(outcome(latch.on_packet(at("198.51.100.7:62000"), {}, now)) == "ok");
    CHECK(outcome(latch.on_packet(at("198.51.100.7:63000"), {}, now)) == "wrong-port");
}

TEST_CASE("relay::Latch: what a journal says is held against what is signalled") {
    Latch latch;
    const Instant now(100s);
    const auto known = [](const char* source) { return Latch::Known{.source = at(source), .rule = SourceRule::latch}; };
    latch.restore(known("198.51.100.7:61000"), now);
    CHECK_FALSE(latch.source().has_value());
    latch.signal(far_end("198.51.100.7"), now);
    latch.restore(known("198.51.100.8:61000"), now);
    CHECK_FALSE(latch.source().has_value());
    latch.restore(known("198.51.100.7:61000"), now);
    CHECK(latch.target() == at("198.51.100.7:61000"));
    CHECK(outcome(latch.on_packet(at("198.51.100.7:61001"), {}, now)) == "wrong-port");
}
