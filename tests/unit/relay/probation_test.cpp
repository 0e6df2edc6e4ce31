// Who holds a latch, and by what it is confirmed (RFC 3550 appendix A.1): RFC 6263's keepalives, DTX, mute, RTCP alone,
// DTLS first, T.38, two SSRCs on a port, transfers; and what others may do meanwhile.
#include "natkit/relay/probation.hpp"

#include "latch_steps.hpp"

using namespace latch_steps;

namespace {

constexpr const char* phone = "198.51.100.7:61000";
constexpr const char* other = "198.51.100.7:50000";

Step open_far_end(Duration when = 0s) {
    return signal(when, far_end("198.51.100.7", "192.168.1.5:4000"));
}
/// `count` packets in sequence, 20 ms apart, of which the last one is to end as `last`.
std::vector<Step> in_sequence(Duration when, const char* source, std::uint32_t ssrc, int first, int count,
                              const char* each, const char* last) {
    std::vector<Step> steps;
    for (int i = 0; i < count; ++i)
        steps.push_back(rtp(when + i * 20ms, source, ssrc, first + i, i + 1 == count ? last : each));
    return steps;
}
/// A confirmed phone: four packets from sequence 1, the last one at 60 ms.
std::vector<Step> confirmed(std::vector<Step> then) {
    std::vector<Step> steps{open_far_end(), rtp(0s, phone, 7, 1, "ok latch")};
    const auto rest = in_sequence(20ms, phone, 7, 2, 3, "ok", "ok confirmed");
    steps.insert(steps.end(), rest.begin(), rest.end());
    steps.insert(steps.end(), then.begin(), then.end());
    return steps;
}
std::vector<Step> joined(std::vector<std::vector<Step>> parts) {
    std::vector<Step> steps;
    for (const auto& part : parts) steps.insert(steps.end(), part.begin(), part.end());
    return steps;
}

}  // namespace

TEST_CASE("relay::Latch: probation, until RTP confirms a source") {
    const Case cases[] = {
        {"four packets in sequence confirm the holder", confirmed({packet(1s, phone, "ok", phone)})},
        {"a gap begins anew",
         {open_far_end(), rtp(0s, phone, 7, 1, "ok latch"), rtp(20ms, phone, 7, 2, "ok"), rtp(40ms, phone, 7, 4, "ok"),
          rtp(60ms, phone, 7, 5, "ok"), rtp(80ms, phone, 7, 6, "ok"), rtp(100ms, phone, 7, 7, "ok confirmed")}},
        {"an empty keepalive (RFC 6263) of somebody else is ousted by the phone's first RTP packet",
         {open_far_end(), packet(0s, other, "ok latch", other), rtp(1s, phone, 7, 1, "ok latch"),
          packet(1s, other, "wrong-port", phone)}},
        {"nothing but RTP ousts: the first of several empty ones holds",
         {open_far_end(), packet(0s, phone, "ok latch", phone), packet(1s, other, "wrong-port", phone),
          packet(60s, phone, "ok", phone)}},
        {"empty keepalives (RFC 6263) alone, one in 15 s: a phone that only listens is sent to",
         {open_far_end(), packet(0s, phone, "ok latch", phone), packet(15s, phone, "ok"), packet(30s, phone, "ok"),
          packet(30s, other, "wrong-port", phone)}},
        {"RTCP only: it holds, and is not confirmed by that",
         {open_far_end(), rtp(0s, phone, 7, -1, "ok latch"), rtp(5s, phone, 7, -1, "ok"), rtp(10s, phone, 7, -1, "ok"),
          rtp(15s, phone, 7, -1, "ok"), rtp(15s, other, 8, -1, "wrong-port"), packet(20s, phone, "ok", phone)}},
        {"DTLS first, its RTP later, from the same port",
         {open_far_end(), packet(0s, phone, "ok latch", phone), packet(1s, phone, "ok"), rtp(2s, phone, 7, 1, "ok"),
          packet(2s, other, "wrong-port"), rtp(2s, other, 9, 1, "wrong-port"), rtp(3s, phone, 7, 2, "ok")}},
        {"a stray RTP packet does not oust a holder that sends RTP",
         {open_far_end(), rtp(0s, phone, 7, 1, "ok latch"), rtp(5ms, other, 666, 9, "wrong-port"),
          rtp(20ms, phone, 7, 2, "ok"), packet(20ms, phone, "ok", phone)}},
        {"injection while the port is being adjusted: three packets are not enough",
         joined({{open_far_end(), rtp(0s, phone, 7, 1, "ok latch")},
                 in_sequence(1ms, other, 666, 1, 3, "wrong-port", "wrong-port"),
                 in_sequence(70ms, phone, 7, 2, 3, "ok", "ok confirmed")})},
        {"packets of many ports with many SSRCs confirm nobody",
         {open_far_end(), rtp(0s, phone, 7, 1, "ok latch"), rtp(1ms, "198.51.100.7:1", 1, 1, "wrong-port"),
          rtp(1ms, "198.51.100.7:2", 2, 2, "wrong-port"), rtp(1ms, "198.51.100.7:3", 3, 3, "wrong-port"),
          rtp(1ms, "198.51.100.7:4", 4, 4, "wrong-port"), rtp(1ms, "198.51.100.7:5", 5, 5, "wrong-port"),
          rtp(20ms, phone, 7, 2, "ok"), rtp(40ms, phone, 7, 3, "ok"), rtp(60ms, phone, 7, 4, "ok confirmed")}},
        {"two that send: the first with four in sequence is confirmed",
         joined({{open_far_end(), rtp(0s, phone, 7, 1, "ok latch"), rtp(1ms, phone, 7, 9, "ok")},
                 in_sequence(2ms, other, 8, 1, 4, "wrong-port", "ok latch confirmed"),
                 {rtp(1s, phone, 7, 10, "wrong-port"), packet(1s, other, "ok", other)}})},
        {"DTX at one packet a second is confirmed after three",
         {open_far_end(), rtp(0s, phone, 7, 1, "ok latch"), rtp(1s, phone, 7, 2, "ok"), rtp(2s, phone, 7, 3, "ok"),
          rtp(3s, phone, 7, 4, "ok confirmed"), rtp(4s, phone, 7, 5, "ok"), rtp(4s, other, 8, 1, "wrong-port")}},
        {"two SSRCs on a port are counted apart",
         {open_far_end(), rtp(0s, phone, 7, 1, "ok latch"), rtp(1ms, phone, 8, 500, "ok"), rtp(20ms, phone, 7, 2, "ok"),
          rtp(21ms, phone, 8, 501, "ok"), rtp(40ms, phone, 7, 3, "ok"), rtp(41ms, phone, 8, 502, "ok"),
          rtp(60ms, phone, 7, 4, "ok confirmed"), rtp(61ms, phone, 8, 503, "ok")}},
        {"from a confirmed source anything is accepted, a new SSRC after a transfer too",
         confirmed({rtp(1s, phone, 99, 30000, "ok"), rtp(1s, phone, 99, 30001, "ok"), packet(1s, phone, "ok", phone),
                    rtp(2s, other, 7, 5, "wrong-port")})},
    };
    for (const Case& c : cases) run(c);
}

TEST_CASE("relay::Latch: whom probation prefers, until one is confirmed") {
    const auto announce = [](Latch& latch, Instant) {
        Ssrcs ssrcs;
        ssrcs.add(7);
        latch.expect(ssrcs);
    };
    constexpr const char* signalled = "198.51.100.7:4000";
    const Case cases[] = {
        {"the signalled port: its first packet ousts another's RTP, and makes that wait",
         joined({{open_far_end(), rtp(0s, other, 8, 1, "ok latch"), rtp(20ms, signalled, 7, 1, "ok latch"),
                  rtp(40ms, other, 8, 2, "wrong-port"), rtp(60ms, other, 8, 3, "wrong-port"),
                  rtp(80ms, other, 8, 4, "wrong-port"), rtp(90ms, other, 8, 5, "wrong-port")},
                 in_sequence(100ms, signalled, 7, 2, 3, "ok", "ok confirmed")})},
        {"and no longer than while it sends",
         joined({{open_far_end(), rtp(0s, signalled, 7, 1, "ok latch")},
                 in_sequence(2s, other, 8, 1, 4, "wrong-port", "ok latch confirmed")})},
        {"a place is kept for it, however many others there are",
         {open_far_end(), rtp(0s, "198.51.100.7:1", 1, 1, "ok latch"), rtp(0s, "198.51.100.7:2", 2, 1, "wrong-port"),
          rtp(0s, "198.51.100.7:3", 3, 1, "wrong-port"), rtp(0s, "198.51.100.7:5", 5, 1, "wrong-port"),
          rtp(1ms, signalled, 7, 1, "ok latch"), rtp(2ms, signalled, 7, 2, "ok"), rtp(3ms, signalled, 7, 3, "ok"),
          rtp(4ms, signalled, 7, 4, "ok confirmed")}},
        {"an announced SSRC (RFC 5576) ousts one that was not",
         {open_far_end(), act(0s, announce), rtp(0s, other, 8, 1, "ok latch"), rtp(1ms, phone, 7, 1, "ok latch"),
          rtp(2ms, other, 8, 2, "wrong-port"), rtp(3ms, other, 8, 3, "wrong-port"), rtp(4ms, other, 8, 4, "wrong-port"),
          rtp(5ms, phone, 7, 2, "ok")}},
        {"an empty packet from the signalled port ousts one from another port, not one of RTP",
         {open_far_end(), packet(0s, other, "ok latch"), packet(1s, signalled, "ok latch", signalled),
          rtp(2s, other, 8, 1, "ok latch"), packet(2s, signalled, "wrong-port", other)}},
        {"once one is confirmed there is no preference",
         confirmed({act(1s, announce), rtp(1s, phone, 9, 1, "ok"), rtp(1s, signalled, 7, 1, "wrong-port"),
                    rtp(1s, signalled, 7, 2, "wrong-port"), rtp(1s, signalled, 7, 3, "wrong-port"),
                    rtp(1s, signalled, 7, 4, "wrong-port")})},
    };
    for (const Case& c : cases) run(c);
}

TEST_CASE("relay::Latch: a confirmed source falls silent") {
    const Case cases[] = {
        {"mute for 30 s, and nobody else sends: nothing has changed",
         confirmed({rtp(30s, phone, 7, 5, "ok"), packet(30s, phone, "ok", phone)})},
        {"another SSRC may take over after 2 s, by four in sequence",
         confirmed(joined({in_sequence(1900ms, other, 8, 1, 4, "wrong-port", "wrong-port"),
                           in_sequence(2060ms, other, 8, 50, 4, "wrong-port", "ok rebind"),
                           {packet(3s, phone, "wrong-port", other)}}))},
        {"mute for 30 s while another one takes over: the phone takes the leg back with its first packet",
         confirmed(joined({in_sequence(10s, other, 8, 1, 4, "wrong-port", "ok rebind"),
                           {rtp(30s, phone, 7, 5, "ok rebind"), rtp(31s, other, 8, 5, "wrong-port")},
                           in_sequence(60s, other, 8, 6, 5, "wrong-port", "wrong-port"),
                           {rtp(70s, phone, 7, 6, "ok"), packet(70s, phone, "ok", phone)}}))},
        {"from another port too, as its NAT may have forgotten the binding",
         confirmed(joined({in_sequence(10s, other, 8, 1, 4, "wrong-port", "ok rebind"),
                           {rtp(30s, "198.51.100.7:62000", 7, 5, "ok rebind"), rtp(31s, other, 8, 5, "wrong-port")}}))},
        {"only a continuing packet takes it back",
         confirmed(joined({in_sequence(10s, other, 8, 1, 4, "wrong-port", "ok rebind"),
                           {packet(30s, phone, "wrong-port"), rtp(30s, phone, 7, 3, "wrong-port"),
                            rtp(30s, phone, 9, 5, "wrong-port"), rtp(30s, phone, 7, 5, "ok rebind")}}))},
        {"others in a chain do not make the first one forgotten",
         confirmed(joined({in_sequence(10s, other, 8, 1, 4, "wrong-port", "ok rebind"),
                           in_sequence(20s, "198.51.100.7:50002", 9, 1, 4, "wrong-port", "ok rebind"),
                           in_sequence(30s, "198.51.100.7:50004", 10, 1, 4, "wrong-port", "ok rebind"),
                           {rtp(40s, phone, 7, 5, "ok rebind")}}))},
        {"on hold its silence says nothing: nobody takes over, with the right SSRC neither",
         confirmed(joined({{may_not_send(1s)},
                           in_sequence(30s, other, 8, 1, 5, "wrong-port", "wrong-port"),
                           {rtp(40s, other, 7, 5, "wrong-port")}}))},
        {"and counts from when it may send again",
         confirmed({may_not_send(1s), may_send(30s), rtp(31s, other, 7, 5, "wrong-port"),
                    rtp(32s, other, 7, 6, "ok rebind")})},
        {"after a restart its silence counts from there",
         confirmed({restart(10s), rtp(11s, other, 7, 5, "wrong-port"), rtp(11s, phone, 7, 6, "ok"),
                    rtp(13s, other, 7, 7, "ok rebind")})},
        {"a restart keeps it confirmed: no other one's RTP ousts it",
         confirmed(joined({{restart(10s)},
                           in_sequence(11s, other, 8, 1, 5, "wrong-port", "wrong-port"),
                           {packet(12s, phone, "ok", phone)}}))},
        {"a restart keeps a provisional one provisional",
         {open_far_end(), packet(0s, other, "ok latch"), restart(1s), packet(1s, phone, "wrong-port", other),
          rtp(2s, phone, 7, 1, "ok latch")}},
    };
    for (const Case& c : cases) run(c);
}

TEST_CASE("relay::Latch: streams without RTP") {
    const auto no_rtp = act(0s, [](Latch& latch, Instant) { latch.expect_no_rtp(); });
    const Case cases[] = {
        {"T.38, one side silent for 60 s: nothing has changed",
         {no_rtp, open_far_end(), packet(0s, phone, "ok latch confirmed", phone), packet(60s, phone, "ok", phone)}},
        {"another one takes over meanwhile, and the first takes the leg back with any packet",
         {no_rtp, open_far_end(), packet(0s, phone, "ok latch confirmed"), packet(1s, other, "wrong-port"),
          packet(2s, other, "ok rebind", other), packet(60s, phone, "ok rebind", phone),
          packet(90s, other, "wrong-port", phone)}},
        {"what looks like RTP is none",
         {no_rtp, open_far_end(), packet(0s, phone, "ok latch confirmed"), rtp(1s, other, 7, 1, "wrong-port"),
          rtp(1s, other, 7, 2, "wrong-port"), rtp(1s, other, 7, 3, "wrong-port"), rtp(1s, other, 7, 4, "wrong-port")}},
    };
    for (const Case& c : cases) run(c);
}

TEST_CASE("relay::Latch: resuming goes through probation") {
    const Case cases[] = {
        {"at the same port",
         confirmed(joined({{resume(10s)}, in_sequence(10s, phone, 7, 5, 4, "ok", "ok confirmed")}))},
        {"from a new port, with a new SSRC: relayed from the first packet on",
         confirmed(joined({{resume(10s), rtp(10s, "198.51.100.7:62000", 9, 1, "ok latch")},
                           in_sequence(10020ms, "198.51.100.7:62000", 9, 2, 3, "ok", "ok confirmed")}))},
        {"somebody else is quicker: the phone's first packet puts that right",
         confirmed({resume(10s), packet(10s, other, "ok latch", other), rtp(11s, phone, 7, 5, "ok rebind"),
                    packet(11s, other, "wrong-port", phone), rtp(11s, other, 8, 1, "wrong-port")})},
        {"quarantine comes first",
         confirmed({signal(10s, far_end("198.51.100.7", "192.168.1.5:4002"), "-"), resume(10s),
                    rtp(10s, phone, 7, 5, "quarantined"), rtp(10s, phone, 7, 6, "quarantined"),
                    rtp(11s, "198.51.100.7:62000", 9, 1, "ok latch"), rtp(11s, phone, 7, 7, "quarantined"),
                    rtp(14s, phone, 7, 8, "wrong-port")})},
    };
    for (const Case& c : cases) run(c);
}

TEST_CASE("relay::Probation: places") {
    Probation probation;
    const Instant now(100s);
    const auto count = [&](const char* source, std::uint32_t ssrc, int sequence, Standing standing, bool holder,
                           Instant when) {
        return probation.count(at(source), {ssrc, static_cast<std::uint16_t>(sequence)}, standing, holder, when);
    };
    for (std::uint32_t i = 1; i <= 4; ++i) CHECK_FALSE(count("10.0.0.1:1000", i, 65535, Standing::rtp, false, now));
    for (int i = 0; i < 3; ++i) {
        CHECK(count("10.0.0.1:1000", 3, i, Standing::rtp, false, now) == (i == 2));
        CHECK_FALSE(count("10.0.0.1:1000", 4, i, Standing::rtp, false, now));  // no place was left
    }
    // The holder finds one at once, others when somebody has been silent for a while.
    CHECK_FALSE(count("10.0.0.1:2000", 5, 1, Standing::rtp, true, now + 1s));
    CHECK_FALSE(count("10.0.0.1:1000", 4, 3, Standing::rtp, false, now + 2s));
    CHECK_FALSE(probation.outranked(Standing::rtp, now + 2s));
    CHECK_FALSE(count("10.0.0.1:4000", 6, 1, Standing::signalled_rtp, false, now + 2s));
    CHECK(probation.outranked(Standing::rtp, now + 2s));
    CHECK_FALSE(probation.outranked(Standing::signalled_rtp, now + 2s));
    CHECK_FALSE(probation.outranked(Standing::rtp, now + 4s));
}

TEST_CASE("relay::Latch: after a takeover the known stream may come from elsewhere at once, for a while") {
    const Case cases[] = {
        {"the known source goes on",
         confirmed({takeover(10s), rtp(10s, phone, 7, 600, "ok"), rtp(10s, other, 8, 1, "wrong-port")})},
        {"its stream comes from another port: at once, whatever its sequence",
         confirmed({takeover(10s), rtp(10001ms, other, 7, 40000, "ok rebind"), packet(10002ms, other, "ok", other),
                    rtp(10003ms, phone, 8, 1, "wrong-port")})},
        {"until the last moment", confirmed({takeover(10s), rtp(14999ms, other, 7, 40000, "ok rebind")})},
        {"not later: then by silence and probation",
         confirmed(joined({{takeover(10s)}, in_sequence(15s, other, 7, 700, 4, "wrong-port", "ok rebind")}))},
        {"another stream waits for silence", confirmed({takeover(10s), rtp(10001ms, other, 8, 5, "wrong-port")})},
        {"nor does what is no RTP say anything",
         confirmed({takeover(10s), packet(10001ms, other, "wrong-port"), rtp(10001ms, other, 7, -1, "wrong-port")})},
        {"the address rule holds",
         confirmed({takeover(10s), rtp(10001ms, "198.51.100.8:61000", 7, 5, "wrong-address")})},
        {"a known source that is heard keeps its place",
         confirmed({takeover(10s), rtp(10001ms, phone, 7, 5, "ok"), rtp(10002ms, other, 7, 6, "wrong-port")})},
        {"one that is ousted and still sends has it back for good",
         confirmed({takeover(10s), rtp(10001ms, other, 7, 6, "ok rebind"), rtp(10002ms, phone, 7, 7, "ok rebind"),
                    rtp(10003ms, other, 7, 8, "wrong-port"), packet(10004ms, phone, "ok", phone)})},
        {"who held it provisionally has no stream that is known: whoever sends RTP first",
         {open_far_end(), rtp(0s, phone, 7, 1, "ok latch"), takeover(1s), rtp(1s, other, 7, 2, "ok latch")}},
        {"a LAN phone whose signalled port had sent",
         joined({{signal(0s, learn("192.168.10.5:4000")), rtp(0s, "192.168.10.5:4000", 7, 1, "ok exact")},
                 in_sequence(20ms, "192.168.10.5:4000", 7, 2, 3, "ok", "ok confirmed"),
                 {takeover(10s), rtp(10001ms, "192.168.10.5:4002", 7, 9, "ok rebind"),
                  packet(10002ms, "192.168.10.5:4002", "ok", "192.168.10.5:4002")}})},
        {"one-port: nobody, as ever", joined({{signal(0s, ruled("203.0.113.9:4000", SourcePolicy::one_port)),
                                               rtp(0s, "203.0.113.9:4000", 7, 1, "ok exact")},
                                              in_sequence(20ms, "203.0.113.9:4000", 7, 2, 3, "ok", "ok confirmed"),
                                              {takeover(10s), rtp(10001ms, "203.0.113.9:5000", 7, 9, "wrong-port")}})},
        {"exact: nobody, as ever",
         {signal(0s, exact("203.0.113.9:4000")), rtp(0s, "203.0.113.9:4000", 7, 1, "ok"), takeover(10s),
          rtp(10001ms, "203.0.113.9:5000", 7, 9, "wrong-port")}},
    };
    for (const Case& c : cases) run(c);
}
