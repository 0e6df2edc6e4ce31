#include "natkit/capture/hep.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "natkit/capture/decoder.hpp"
#include "octets.hpp"

using namespace natkit;
using namespace natkit::capture;
using namespace natkit::test;

namespace {

Octets number(std::uint64_t value, std::size_t bytes) {
    Octets octets;
    for (std::size_t i = bytes; i-- > 0;) octets.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return octets;
}

Octets chunk(unsigned type, const Octets& value, unsigned vendor = 0) {
    return number(vendor, 2) + number(type, 2) + number(6 + value.size(), 2) + value;
}

Octets packet(const Octets& chunks) {
    return text("HEP3") + number(6 + chunks.size(), 2) + chunks;
}

Octets ports() {
    return chunk(7, number(5060, 2)) + chunk(8, number(5062, 2));
}

Octets addresses() {
    return chunk(3, {192, 0, 2, 1}) + chunk(4, {192, 0, 2, 2});
}

/// IPv6 2001:db8::`last`.
Octets address6(std::uint8_t last) {
    Octets octets(16, 0);
    octets[0] = 0x20, octets[1] = 0x01, octets[2] = 0x0d, octets[3] = 0xb8, octets[15] = last;
    return octets;
}

std::string shown(const std::optional<HepPacket>& packet) {
    if (!packet) return "nothing";
    return to_string(packet->source) + " " + to_string(packet->destination) + " " + std::to_string(packet->protocol) +
           " " + std::to_string(packet->time_ns) + " " + std::to_string(packet->agent) + " " +
           std::to_string(static_cast<int>(packet->content)) + " " +
           std::string(packet->payload.begin(), packet->payload.end());
}

}  // namespace

TEST_CASE("capture::read_hep: what it tells, and what is none") {
    const Octets good = chunk(1, {2}) + chunk(2, {17}) + addresses() + ports() + chunk(9, number(1'700'000'000, 4)) +
                        chunk(10, number(250'000, 4)) + chunk(11, {1}) + chunk(12, number(2001, 4)) +
                        chunk(14, text("secret")) + chunk(15, text("hello"));
    const std::string want = "192.0.2.1:5060 192.0.2.2:5062 17 1700000000250000000 2001 0 hello";
    struct Case {
        const char* why;
        Octets bytes;
        std::string want;
    };
    const std::vector<Case> cases = {
        {"all of it", packet(good), want},
        {"bytes behind it", packet(good) + text("xx"), want},
        {"chunks of other vendors and types", packet(good + chunk(7, number(9, 2), 5) + chunk(4711, text("?"))), want},
        {"IPv6", packet(chunk(5, address6(1)) + chunk(6, address6(2)) + ports() + chunk(15, {})),
         "[2001:db8::1]:5060 [2001:db8::2]:5062 0 0 0 3 "},
        {"RTCP", packet(addresses() + ports() + chunk(11, {5}) + chunk(15, text("x"))),
         "192.0.2.1:5060 192.0.2.2:5062 0 0 0 2 x"},
        {"a number of the wrong length is passed over", packet(good + chunk(12, {1, 2}) + chunk(2, {1, 2, 3})), want},
        {"no addresses", packet(ports() + chunk(15, text("x"))), "nothing"},
        {"no ports", packet(addresses() + chunk(15, text("x"))), "nothing"},
        {"no payload", packet(addresses() + ports()), "nothing"},
        {"a compressed payload, as it is", packet(addresses() + ports() + chunk(16, text("x"))),
         "192.0.2.1:5060 192.0.2.2:5062 0 0 0 3 x"},
        {"longer than the datagram", text("HEP3") + number(60'000, 2) + good, "nothing"},
        {"a chunk longer than the rest", packet(good + number(0, 2) + number(7, 2) + number(100, 2)), "nothing"},
        {"a chunk of no length", packet(good + number(0, 6)), "nothing"},
        {"half a chunk", packet(good + number(0, 3)), "nothing"},
        {"version 1", text("HEP1") + number(6 + good.size(), 2) + good, "nothing"},
        {"the magic alone", text("HEP3"), "nothing"},
        {"nothing at all", {}, "nothing"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(shown(read_hep(c.bytes)) == c.want);
    }
}

TEST_CASE("capture::Decoder: HEP in a datagram, and by itself") {
    const auto of = [](unsigned protocol, unsigned content, std::string_view payload) {
        return packet(chunk(2, {static_cast<std::uint8_t>(protocol)}) + addresses() + ports() +
                      chunk(9, number(1'700'000'000, 4)) + chunk(11, {static_cast<std::uint8_t>(content)}) +
                      chunk(12, number(7, 4)) + chunk(15, text(payload)));
    };
    const auto squeezed = [](const Octets& payload) {
        return packet(chunk(2, {17}) + addresses() + ports() + chunk(9, number(1'700'000'000, 4)) + chunk(11, {1}) +
                      chunk(12, number(7, 4)) + chunk(16, payload));
    };
    const Octets invite = {0x78, 0x9c, 0xf3, 0xf4, 0x0b, 0xf3, 0x0c, 0x71, 0x05, 0x00, 0x06, 0x62, 0x01, 0xd0};  // zlib
    const auto in_udp = [](const Octets& content) {
        return Octets{0x45, 0} + number(28 + content.size(), 2) +
               Octets{0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2} + number(40'000, 2) + number(9060, 2) +
               number(8 + content.size(), 2) + Octets{0, 0} + content;
    };
    struct Case {
        const char* why;
        Octets bytes;
        int link_type;
        std::string want;
    };
    const std::vector<Case> cases = {
        {"SIP over UDP", of(17, 1, "INVITE"), link_type_hep, "udp INVITE"},
        {"SIP over TCP is a message by itself", in_udp(of(6, 1, "INVITE")), 101, "tcp INVITE"},
        {"RTCP", in_udp(of(17, 5, "\x80\xc8")), 101, "udp \x80\xc8"},
        {"an account of RTCP in JSON", in_udp(of(17, 5, "{}")), 101, "nothing"},
        {"compressed", squeezed(invite), link_type_hep, "udp INVITE"},
        {"compressed, and not whole", squeezed({invite.begin(), invite.end() - 5}), link_type_hep, "nothing"},
        {"said to be compressed", squeezed(text("INVITE")), link_type_hep, "nothing"},
        {"a log line", in_udp(of(17, 100, "x")), 101, "nothing"},
        {"broken", in_udp(text("HEP3 is broken")), 101, "nothing"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Decoder decoder;
        const auto datagram =
            decoder.decode({.frame = 4, .time_ns = 5, .link_type = c.link_type, .interface = 3, .bytes = c.bytes});
        if (!datagram) {
            CHECK(c.want == "nothing");
            continue;
        }
        CHECK(std::string(datagram->protocol == Datagram::Protocol::tcp ? "tcp " : "udp ") +
                  std::string(datagram->payload.begin(), datagram->payload.end()) ==
              c.want);
        CHECK(datagram->whole);
        CHECK(datagram->source == *Endpoint::parse("192.0.2.1:5060"));
        CHECK(datagram->seen == Sighting{.frame = 4, .time_ns = 1'700'000'000'000'000'000, .interface = 7});
    }
}
