#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "natkit/rtp/packet.hpp"
#include "natkit/rtp/statistics.hpp"

using namespace natkit;
using namespace natkit::rtp;
using namespace std::chrono_literals;

namespace {
std::vector<std::uint8_t> padded(std::vector<std::uint8_t> head, std::size_t size) {
    head.resize(size);
    return head;
}
}  // namespace

TEST_CASE("rtp::kind_of: what shares a media port (RFC 7983)") {
    struct Case {
        const char* why;
        std::vector<std::uint8_t> bytes;
        Kind want;
    };
    const Case cases[] = {
        {"PCMU", padded({0x80, 0}, 172), Kind::rtp},
        {"marker and dynamic type 96: 224 is not RTCP", padded({0x80, 0xe0}, 172), Kind::rtp},
        {"sender report", padded({0x80, 200}, 28), Kind::rtcp},
        {"reduced-size feedback", padded({0x81, 205}, 12), Kind::rtcp},
        {"the shortest RTCP", padded({0x80, 201}, 8), Kind::rtcp},
        {"RTP cut short", padded({0x80, 0}, 11), Kind::other},
        {"version 1", padded({0x40, 0}, 172), Kind::other},
        {"STUN binding request", padded({0, 1}, 20), Kind::stun},
        {"DTLS handshake", padded({22, 254}, 50), Kind::dtls},
        {"CRLF keepalive", {13, 10, 13, 10}, Kind::other},
        {"nothing", {}, Kind::other},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(kind_of(c.bytes) == c.want);
    }
}

TEST_CASE("rtp::read_rtp: fields, and what does not fit") {
    std::vector<std::uint8_t> bytes{0x80, 0x88, 0x12, 0x34, 0, 0, 1, 0x40, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4};
    auto header = read_rtp(bytes);
    REQUIRE(header.has_value());
    CHECK(*header == RtpHeader{.payload_type = 8,
                               .marker = true,
                               .sequence = 0x1234,
                               .timestamp = 0x140,
                               .ssrc = 0xdeadbeef,
                               .payload_offset = 12,
                               .payload_size = 4});
    bytes[0] = 0x81;  // one CSRC: the payload is all header
    CHECK(read_rtp(bytes)->payload_size == 0);
    bytes[0] = 0x82;  // two CSRC do not fit
    CHECK_FALSE(read_rtp(bytes).has_value());
    bytes[0] = 0x90;  // an extension of 0x0304 words does not fit
    CHECK_FALSE(read_rtp(bytes).has_value());
    bytes[14] = bytes[15] = 0;  // an empty extension
    CHECK(read_rtp(bytes)->payload_offset == 16);
    bytes = {0xa0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9, 9, 9, 2};
    CHECK(read_rtp(bytes)->payload_size == 2);
    bytes[15] = 200;  // padding beyond the packet: encrypted, so not ours to judge
    CHECK(read_rtp(bytes)->payload_size == 4);
    CHECK(read_rtcp(padded({0x80, 200, 0, 6, 1, 2, 3, 4}, 28)) == RtcpHeader{200, 0x01020304});
    CHECK_FALSE(read_rtcp(bytes).has_value());
}

TEST_CASE("rtp::ReceiverStatistics: loss") {
    struct Case {
        const char* why;
        std::vector<int> sequences;
        std::uint64_t expected;
        std::uint64_t lost;
    };
    const Case cases[] = {
        {"all there", {1, 2, 3, 4}, 4, 0},
        {"one missing", {1, 2, 4, 5}, 5, 1},
        {"out of order is not lost", {1, 3, 2, 4}, 4, 0},
        {"over the wrap", {65534, 65535, 0, 2}, 5, 1},
        {"out of order over the wrap", {65534, 0, 65535, 1}, 4, 0},
        {"a duplicate does not make up for a loss elsewhere for ever", {1, 1, 3}, 3, 0},
        {"a jump starts a new count and keeps the old loss", {1, 3, 20000, 20001}, 5, 1},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        ReceiverStatistics statistics;
        Instant now(1s);
        for (const int sequence : c.sequences) {
            RtpHeader header{.sequence = static_cast<std::uint16_t>(sequence), .ssrc = 5};
            statistics.on_packet(header, now += 20ms);
        }
        CHECK(statistics.expected() == c.expected);
        CHECK(statistics.lost() == c.lost);
    }
}

TEST_CASE("rtp::ReceiverStatistics: jitter by RFC 3550, for known and for measured clock rates") {
    struct Case {
        const char* why;
        std::uint8_t payload_type;
        std::uint32_t step;  ///< timestamp units per 20 ms
        Duration wobble;     ///< every second packet later by this
        double want_ms;
    };
    const Case cases[] = {
        {"PCMU on time", 0, 160, 0ms, 0.0},
        {"PCMU, every other packet 4 ms late: |D| is 4 ms each time", 0, 160, 4ms, 4.0},
        {"Opus: 48 kHz is found out", 111, 960, 4ms, 4.0},
        {"a dynamic type at 8 kHz", 101, 160, 2ms, 2.0},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        ReceiverStatistics statistics;
        for (std::uint16_t i = 0; i < 500; ++i) {
            const RtpHeader header{.payload_type = c.payload_type, .sequence = i, .timestamp = i * c.step, .ssrc = 5};
            statistics.on_packet(header, Instant(1s) + i * Duration(20ms) + (i % 2 == 1 ? c.wobble : Duration(0)));
        }
        REQUIRE(statistics.jitter().has_value());
        CHECK(std::abs(std::chrono::duration<double, std::milli>(*statistics.jitter()).count() - c.want_ms) < 0.05);
        CHECK(statistics.lost() == 0);
    }
    CHECK_FALSE(ReceiverStatistics().jitter().has_value());
}
