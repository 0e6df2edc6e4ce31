#include "natkit/engine/explain/rtp_streams.hpp"

#include <doctest/doctest.h>

#include <array>
#include <ctime>
#include <vector>

#include "made.hpp"

using namespace natkit;
using namespace natkit::explain;
using namespace natkit::test;

namespace {

Endpoint endpoint(const char* text) {
    return *Endpoint::parse(text);
}

std::array<std::uint8_t, 20> rtp(unsigned sequence, std::uint8_t ssrc) {
    std::array<std::uint8_t, 20> packet{0x80};
    packet[2] = static_cast<std::uint8_t>(sequence >> 8U);
    packet[3] = static_cast<std::uint8_t>(sequence);
    packet[11] = ssrc;
    return packet;
}

const Endpoint a = endpoint("203.0.113.9:4000");
const Endpoint b = endpoint("203.0.113.20:4002");

}  // namespace

TEST_CASE("explain::RtpStreams: packets taken twice are no loop, packets that come by again and again are") {
    struct Case {
        const char* why;
        unsigned copies;
        bool circles;
    };
    constexpr Case cases[] = {{"once", 1, false},
                              {"on both ports of a bridge", 2, false},
                              {"on a bridge, its ports and any", 4, false},
                              {"in a circle", 8, true}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        RtpStreams streams;
        for (unsigned i = 0; i < 50; ++i) {
            for (unsigned copy = 0; copy < c.copies; ++copy)
                streams.on_packet(1, a, b, i * 20 * ms + copy * ms, rtp(i, 1));
        }
        const auto found = streams.to(b, 0, 10'000 * ms);
        REQUIRE(found.size() == 1);
        CHECK(found[0]->distinct() == 50);
        CHECK(found[0]->circles() == c.circles);
        CHECK(streams.repeating(10).size() == (c.circles ? 1 : 0));
    }
}

TEST_CASE("explain::RtpStreams: a circle in which packets stay for seconds") {
    RtpStreams streams;
    for (unsigned i = 0; i < 400; ++i) {
        for (unsigned old = 0; old <= i; old += 16)
            streams.on_packet(1, a, b, i * 20 * ms, rtp(i - old, 1));  // each by 320 ms
    }
    const auto found = streams.to(b, 0, 10'000 * ms);
    REQUIRE(found.size() == 1);
    CHECK(found[0]->distinct() == 400);
    CHECK(found[0]->circles());
}

TEST_CASE("explain::RtpStreams: a server that counts each announcement from the same number on sends no packet again") {
    RtpStreams streams;
    for (unsigned i = 0; i < 1200; ++i) streams.on_packet(1, a, b, i * 20 * ms, rtp(1000 + i % 200, 1));
    const auto found = streams.to(b, 0, 30'000 * ms);
    REQUIRE(found.size() == 1);
    CHECK(found[0]->distinct() >= 1190);
    CHECK_FALSE(found[0]->circles());
}

TEST_CASE("explain::RtpStreams: some packets of before once more are no loss") {
    RtpStreams streams;
    for (unsigned i = 0; i < 200; ++i) streams.on_packet(1, a, b, i * 20 * ms, rtp(i, 1));
    for (unsigned i = 60; i < 90; ++i) streams.on_packet(1, a, b, 4000 * ms, rtp(i, 1));
    for (unsigned i = 200; i < 400; ++i) streams.on_packet(1, a, b, i * 20 * ms, rtp(i, 1));
    const auto found = streams.to(b, 0, 30'000 * ms);
    REQUIRE(found.size() == 1);
    CHECK(found[0]->missing == 0);
}

TEST_CASE("explain::RtpStreams: the next call at the same ports is another stream") {
    RtpStreams streams;
    for (unsigned i = 0; i < 10; ++i) streams.on_packet(1, a, b, i * 20 * ms, rtp(i, 1));
    for (unsigned i = 0; i < 20; ++i) streams.on_packet(1, a, b, 5000 * ms + i * 20 * ms, rtp(i, 2));
    for (unsigned i = 20; i < 30; ++i) streams.on_packet(1, a, b, 15'000 * ms + i * 20 * ms, rtp(i, 2));  // a silence
    for (unsigned i = 0; i < 5; ++i) streams.on_packet(1, a, b, 16'000 * ms + i * 20 * ms, rtp(i, 3));  // a new source
    const auto found = streams.from(a, 0, 100'000 * ms);
    REQUIRE(found.size() == 3);
    CHECK(found[0]->rtp == 10);
    CHECK(found[1]->rtp == 30);
    CHECK(found[1]->missing == 0);
    CHECK(found[2]->rtp == 5);
    CHECK(streams.of_source(2, 0, 100'000 * ms) == std::vector{found[1]});
    CHECK(streams.to(b, 0, 4000 * ms).size() == 1);
    CHECK(streams.between(a.address, b.address, 4000 * ms, 15'900 * ms).size() == 1);
    CHECK(streams.between(b.address, a.address, 0, 20'000 * ms).empty());
}

TEST_CASE("explain::RtpStreams: packets that are missing, late, or left out in a silence") {
    RtpStreams streams;
    for (unsigned i = 0; i < 100; ++i) {
        if (i % 10 != 3) streams.on_packet(i + 1, a, b, i * 20 * ms, rtp(i, 1));
    }
    streams.on_packet(101, a, b, 2001 * ms, rtp(93, 1));                                      // late
    for (unsigned i = 400; i < 410; ++i) streams.on_packet(i, a, b, 20 * i * ms, rtp(i, 1));  // silent in between
    const auto found = streams.to(b, 0, 10'000 * ms);
    REQUIRE(found.size() == 1);
    CHECK(found[0]->missing == 9);
    CHECK(found[0]->distinct() == 101);
    CHECK(found[0]->first_frame == 1);
    CHECK(found[0]->last_frame == 409);
    CHECK(found[0]->packets_in(0, 1000 * ms) == 45);
    CHECK(found[0]->packets_in(3000 * ms, 7000 * ms) == 0);
    REQUIRE(found[0]->payload_types.size() == 1);
    CHECK(found[0]->payload_types[0].packets == 101);
}

TEST_CASE("explain::RtpStreams: full of young streams it stays bounded and quick, and the newest are there") {
    RtpStreams streams;
    const std::clock_t start = std::clock();
    constexpr std::uint32_t count = 400'000;
    for (std::uint32_t i = 0; i < count; ++i) {
        const Endpoint source{.address = IpAddress::v4(0x0a000000U + i), .port = 4000};
        streams.on_packet(1, source, b, i, rtp(1, 1));
        CHECK(streams.size() <= 65'536);
    }
    CHECK(std::clock() - start < 30 * CLOCKS_PER_SEC);  // it was hours
    CHECK(streams.from({.address = IpAddress::v4(0x0a000000U + count - 1), .port = 4000}, 0, count).size() == 1);
    CHECK(streams.from({.address = IpAddress::v4(0x0a000000U + count - 40'000), .port = 4000}, 0, count).size() == 1);
    CHECK(streams.from({.address = IpAddress::v4(0x0a000000U), .port = 4000}, 0, count).empty());
}

TEST_CASE("explain::RtpStreams: interarrival jitter, by the clock of the payload type or by how time stamps go on") {
    struct Case {
        const char* why;
        std::uint8_t type;
        unsigned units;      ///< of the time stamp, a packet of 20 ms
        std::int64_t late;   ///< every second packet, ns
        double least, most;  ///< ms
    };
    constexpr Case cases[] = {{"PCMU on time", 0, 160, 0, 0, 0.1},
                              {"PCMU, every second packet 10 ms late", 0, 160, 10 * ms, 9, 10.1},
                              {"Opus: a clock of 48000 that nobody has said", 111, 960, 4 * ms, 3.5, 4.1},
                              {"time stamps that fit no clock", 111, 7, 4 * ms, 0, 0}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        RtpStreams streams;
        for (unsigned i = 0; i < 250; ++i) {
            auto packet = rtp(i, 1);
            packet[1] = c.type;
            const std::uint32_t stamp = i * c.units;
            for (unsigned byte = 0; byte < 4; ++byte)
                packet[4 + byte] = static_cast<std::uint8_t>(stamp >> (24U - 8 * byte));
            streams.on_packet(1, a, b, (i + 1) * 20 * ms + (i % 2 == 1 ? c.late : 0), packet);
        }
        const auto found = streams.to(b, 0, 10'000 * ms);
        REQUIRE(found.size() == 1);
        const double jitter = found[0]->jitter_in(2500 * ms, 5000 * ms).value_or(0);
        CHECK(jitter >= c.least);
        CHECK(jitter <= c.most);
    }
}

TEST_CASE("explain::RtpStreams: connectivity checks of ICE, which nominate, and their answers") {
    const auto stun = [](unsigned type, std::vector<std::uint8_t> attributes) {
        std::vector<std::uint8_t> packet(20);
        packet[0] = static_cast<std::uint8_t>(type >> 8U);
        packet[1] = static_cast<std::uint8_t>(type);
        packet[3] = static_cast<std::uint8_t>(attributes.size());
        packet[4] = 0x21, packet[5] = 0x12, packet[6] = 0xa4, packet[7] = 0x42;
        packet.insert(packet.end(), attributes.begin(), attributes.end());
        return packet;
    };
    const std::vector<std::uint8_t> user = {0, 6, 0, 3, 'a', ':', 'b', 0};
    std::vector<std::uint8_t> nominates = user;
    nominates.insert(nominates.end(), {0, 0x25, 0, 0});
    RtpStreams streams;
    streams.on_packet(1, a, b, ms, stun(1, {}));  // asks for its own address
    streams.on_packet(2, a, b, 2 * ms, stun(1, user));
    streams.on_packet(3, b, a, 3 * ms, stun(0x101, {}));
    streams.on_packet(4, a, b, 4 * ms, stun(1, nominates));
    streams.on_packet(5, a, b, 5 * ms, stun(1, {0, 6, 0xff, 0xff}));  // longer than it is
    const auto found = streams.to(b, 0, 10 * ms);
    REQUIRE(found.size() == 1);
    CHECK(found[0]->stun == 4);
    CHECK(found[0]->checks == 3);
    CHECK(found[0]->nominated_frame == 4);
    CHECK(found[0]->check_answers == 0);
    CHECK(streams.to(a, 0, 10 * ms)[0]->check_answers == 1);
}
