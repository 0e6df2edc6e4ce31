#include "natkit/capture/decoder.hpp"

#include <doctest/doctest.h>

#include <string>

#include "octets.hpp"

using namespace natkit;
using namespace natkit::capture;
using namespace natkit::test;

namespace {

Octets number16(unsigned value) {
    return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

Octets address(const char* written) {
    const auto parsed = *IpAddress::parse(written);
    return {parsed.bytes().begin(), parsed.bytes().end()};
}

Octets udp(const Octets& payload) {
    return number16(5060) + number16(5062) + number16(static_cast<unsigned>(8 + payload.size())) + Octets{0, 0} +
           payload;
}

Octets ipv4(unsigned protocol, const Octets& content, unsigned position = 0) {
    return Octets{0x45, 0} + number16(static_cast<unsigned>(20 + content.size())) + Octets{0, 7} + number16(position) +
           Octets{64, static_cast<std::uint8_t>(protocol), 0, 0} + address("192.0.2.1") + address("192.0.2.2") +
           content;
}

Octets ipv6(unsigned next, const Octets& content) {
    return Octets{0x60, 0, 0, 0} + number16(static_cast<unsigned>(content.size())) +
           Octets{static_cast<std::uint8_t>(next), 64} + address("2001:db8::1") + address("2001:db8::2") + content;
}

Octets ethernet(unsigned type, const Octets& content) {
    return Octets(12, 0) + number16(type) + content;
}

/// An 802.11 header with `flags`, of a frame whose first byte is `control`.
Octets wifi(unsigned control, unsigned flags, const Octets& rest) {
    return Octets{static_cast<std::uint8_t>(control), static_cast<std::uint8_t>(flags)} + Octets(22, 0) + rest;
}

/// LLC with SNAP.
Octets snap(const Octets& packet) {
    return Octets{0xaa, 0xaa, 3, 0, 0, 0} + number16(0x0800) + packet;
}

/// Of an aggregate.
Octets subframe(const Octets& content) {
    return Octets(12, 0) + number16(static_cast<unsigned>(content.size())) + content +
           Octets((6 - content.size() % 4) % 4, 0);
}

Octets radiotap(const Octets& fields, const Octets& frame) {
    return Octets{0, 0, static_cast<std::uint8_t>(4 + fields.size()), 0} + fields + frame;
}

Octets fragment6(unsigned position, const Octets& content) {
    return Octets{17, 0} + number16(position) + Octets{0, 0, 0, 9} + content;
}

std::string shown(const std::optional<Datagram>& datagram) {
    if (!datagram) return "nothing";
    return to_string(datagram->source) + " " + to_string(datagram->destination) + " " +
           std::string(datagram->payload.begin(), datagram->payload.end());
}

}  // namespace

TEST_CASE("capture::Decoder: every wrapping") {
    const Octets plain = ipv4(17, udp(text("hello")));
    const Octets plain6 = ipv6(17, udp(text("hello")));
    const std::string four = "192.0.2.1:5060 192.0.2.2:5062 hello";
    const std::string six = "[2001:db8::1]:5060 [2001:db8::2]:5062 hello";
    struct Case {
        const char* why;
        int link_type;
        Octets bytes;
        std::string want;
    };
    const std::vector<Case> cases = {
        {"raw IPv4", 101, plain, four},
        {"raw IPv6", 101, plain6, six},
        {"Ethernet", 1, ethernet(0x0800, plain), four},
        {"Ethernet trailer is no payload", 1, ethernet(0x0800, plain + Octets(9, 0xff)), four},
        {"VLAN", 1, ethernet(0x8100, number16(5) + number16(0x0800) + plain), four},
        {"VLAN in VLAN", 1, ethernet(0x88a8, number16(5) + number16(0x8100) + number16(6) + number16(0x86dd) + plain6),
         six},
        {"MPLS with two labels", 1, ethernet(0x8847, Octets{0, 1, 0, 64, 0, 1, 1, 64} + plain), four},
        {"PPPoE", 1, ethernet(0x8864, Octets{0x11, 0, 0, 1, 0, 0} + number16(0x0021) + plain), four},
        {"SNAP", 1, ethernet(60, Octets{0xaa, 0xaa, 3, 0, 0, 0} + number16(0x0800) + plain), four},
        {"PPPoE in a VLAN", 1,
         ethernet(0x8100, number16(7) + number16(0x8864) + Octets{0x11, 0, 0, 1, 0, 0} + number16(0x0057) + plain6),
         six},
        {"PPPoE discovery carries nothing", 1, ethernet(0x8864, Octets{0x11, 9, 0, 1, 0, 0, 0, 0x21} + plain),
         "nothing"},
        {"PPPoE's control protocol (LCP)", 1, ethernet(0x8864, Octets{0x11, 0, 0, 1, 0, 0, 0xc0, 0x21} + plain),
         "nothing"},
        {"PPPoE as the link type", 51, Octets{0x11, 0, 0, 1, 0, 0, 0, 0x21} + plain, four},
        {"PPP with address and control", 9, Octets{0xff, 3, 0, 0x21} + plain, four},
        {"802.11 data", 105, wifi(0x08, 1, snap(plain)), four},
        {"802.11 with quality of service", 105, wifi(0x88, 2, Octets{0, 0} + snap(plain)), four},
        {"802.11 with quality of service and a control field for high throughput", 105,
         wifi(0x88, 0x82, Octets{0, 0} + Octets(4, 0) + snap(plain)), four},
        {"802.11 between access points", 105, wifi(0x08, 3, Octets(6, 0) + snap(plain)), four},
        {"802.11 aggregate", 105, wifi(0x88, 1, Octets{0x80, 0} + subframe(snap(plain))), four},
        {"802.11 aggregate of three", 105,
         wifi(0x88, 1, Octets{0x80, 0} + subframe(snap(plain)) + subframe({1, 2, 3}) + subframe(snap(plain))),
         four + "\n" + four},
        {"802.11 aggregate, its last one cut", 105,
         wifi(0x88, 1, Octets{0x80, 0} + subframe(snap(plain)) + Octets(9, 0)), four},
        {"802.11 encrypted", 105, wifi(0x08, 0x41, snap(plain)), "nothing"},
        {"802.11 fragment", 105, wifi(0x08, 5, snap(plain)), "nothing"},
        {"802.11 without data", 105, wifi(0x48, 1, snap(plain)), "nothing"},
        {"802.11 beacon", 105, wifi(0x80, 0, snap(plain)), "nothing"},
        {"radiotap", 127, radiotap({0, 0, 0, 0}, wifi(0x08, 1, snap(plain))), four},
        {"radiotap with time, flags and a second bitmap; the 802.11 header is padded", 127,
         radiotap(Octets{3, 0, 0, 0x80, 0, 0, 0, 0} + Octets(4, 0) + Octets(8, 0) + Octets{0x20, 0},
                  wifi(0x88, 1, Octets{0, 0, 0, 0} + snap(plain))),
         four},
        {"radiotap: the checksum failed", 127, radiotap({2, 0, 0, 0, 0x40}, wifi(0x08, 1, snap(plain))), "nothing"},
        {"radiotap longer than the packet", 127, {0, 0, 255, 0, 0, 0, 0, 0}, "nothing"},
        {"PPI", 192, Octets{0, 0, 12, 0, 105, 0, 0, 0} + Octets(4, 0) + wifi(0x08, 1, snap(plain)), four},
        {"PPI in PPI", 192, Octets{0, 0, 8, 0, 192, 0, 0, 0} + Octets{0, 0, 8, 0, 105, 0, 0, 0} + plain, "nothing"},
        {"Linux cooked v1", 113, Octets(14, 0) + number16(0x0800) + plain, four},
        {"Linux cooked v2", 276, number16(0x86dd) + Octets(18, 0) + plain6, six},
        {"BSD loopback", 0, Octets{2, 0, 0, 0} + plain, four},
        {"OpenBSD loopback", 108, Octets{0, 0, 0, 24} + plain6, six},
        {"IP in IP", 101, ipv4(4, plain), four},
        {"IPv6 in IPv4", 101, ipv4(41, plain6), six},
        {"GRE", 101, ipv4(47, Octets{0, 0} + number16(0x0800) + plain), four},
        {"GRE with checksum, key and sequence", 101,
         ipv4(47, Octets{0xb0, 0} + number16(0x86dd) + Octets(12, 0) + plain6), six},
        {"Ethernet in GRE", 101, ipv4(47, Octets{0, 0} + number16(0x6558) + ethernet(0x0800, plain)), four},
        {"IPv6 extension headers", 101,
         ipv6(0, Octets{60, 0, 0, 0, 0, 0, 0, 0} + Octets{17, 0, 0, 0, 0, 0, 0, 0} + udp(text("hello"))), six},
        {"ICMP that quotes a datagram", 101, ipv4(1, Octets(8, 3) + plain), "nothing"},
        {"an unknown link type", 9999, plain, "nothing"},
        {"nothing at all", 1, {}, "nothing"},
        {"a header cut short", 101, Octets(plain.begin(), plain.begin() + 12), "nothing"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Decoder decoder;
        std::string all = shown(decoder.decode({.frame = 1, .link_type = c.link_type, .bytes = c.bytes}));
        while (decoder.more()) {
            if (const auto next = decoder.decode_more()) all += "\n" + shown(next);
        }
        CHECK(all == c.want);
    }
    Octets tower = plain;
    for (int i = 0; i < 40; ++i) tower = ipv4(4, tower);
    Decoder decoder;
    CHECK_FALSE(decoder.decode({.frame = 1, .link_type = 101, .bytes = tower}));
}

TEST_CASE("capture::Decoder: fragments in any order, twice, and of two datagrams at once") {
    const Octets whole = udp(text(std::string(40, 'x')));
    const Octets first(whole.begin(), whole.begin() + 16);
    const Octets middle(whole.begin() + 16, whole.begin() + 32);
    const Octets last(whole.begin() + 32, whole.end());
    for (const bool six : {false, true}) {
        CAPTURE(six);
        const auto piece = [&](unsigned offset, bool more, const Octets& content) {
            return six ? ipv6(44, fragment6(offset | (more ? 1U : 0U), content))
                       : ipv4(17, content, offset / 8 | (more ? 0x2000U : 0U));
        };
        const std::vector<Octets> packets = {piece(32, false, last), piece(0, true, first), piece(0, true, first),
                                             piece(16, true, middle)};
        Decoder decoder;
        std::uint64_t frame = 0;
        for (int round = 0; round < 2; ++round) {
            for (std::size_t i = 0; i < packets.size(); ++i) {
                const auto datagram = decoder.decode({.frame = ++frame, .link_type = 101, .bytes = packets[i]});
                REQUIRE(datagram.has_value() == (i == 3));
                if (datagram) CHECK(datagram->payload.size() == 40);
            }
        }
    }
}

TEST_CASE("capture::Decoder: where a packet was seen, and which way it went") {
    const Octets plain = ipv4(17, udp(text("x")));
    struct Case {
        const char* why;
        Packet packet;
        Octets bytes;
        Sighting want;
    };
    const std::vector<Case> cases = {
        {"Ethernet says nothing",
         {.frame = 3, .time_ns = 9, .link_type = 1, .interface = 2},
         ethernet(0x0800, plain),
         {.frame = 3, .time_ns = 9, .interface = 2, .hops = 64}},
        {"the flags of pcapng do",
         {.frame = 3, .link_type = 101, .direction = Direction::from_us},
         plain,
         {.frame = 3, .direction = Direction::from_us, .hops = 64}},
        {"cooked v1: broadcast",
         {.frame = 1, .link_type = 113},
         number16(1) + Octets(12, 0) + number16(0x0800) + plain,
         {.frame = 1, .direction = Direction::broadcast, .hops = 64}},
        {"cooked v1: a type that is none",
         {.frame = 1, .link_type = 113},
         number16(7) + Octets(12, 0) + number16(0x0800) + plain,
         {.frame = 1, .hops = 64}},
        {"cooked v2: interface 7, outgoing",
         {.frame = 1, .link_type = 276, .interface = 1},
         number16(0x0800) + Octets{0, 0, 0, 0, 0, 7, 0, 1, 4, 6} + Octets(8, 0) + plain,
         {.frame = 1, .interface = 7, .direction = Direction::from_us, .hops = 64}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Decoder decoder;
        Packet packet = c.packet;
        packet.bytes = c.bytes;
        const auto datagram = decoder.decode(packet);
        REQUIRE(datagram);
        CHECK(datagram->seen == c.want);
    }
}

TEST_CASE("capture::Decoder: ICMP errors and what they quote") {
    const Octets quoted = ipv4(17, udp(text("hello")));
    const Octets quoted6 = ipv6(17, udp(text("hello")));
    const auto message = [](std::uint8_t type, std::uint8_t code, const Octets& rest) {
        return Octets{type, code} + Octets(6, 0) + rest;
    };
    const std::string four = " 192.0.2.1:5060 192.0.2.2:5062 17";
    const std::string six = " [2001:db8::1]:5060 [2001:db8::2]:5062 17";
    struct Case {
        const char* why;
        Octets bytes;
        std::string want;
    };
    const std::vector<Case> cases = {
        {"port unreachable", ipv4(1, message(3, 3, quoted)), "0" + four + " hello"},
        {"host unreachable", ipv4(1, message(3, 1, quoted)), "2" + four + " hello"},
        {"no route", ipv4(1, message(3, 0, quoted)), "3" + four + " hello"},
        {"administratively prohibited", ipv4(1, message(3, 13, quoted)), "4" + four + " hello"},
        {"too big", ipv4(1, message(3, 4, quoted)), "5" + four + " hello"},
        {"too many hops", ipv4(1, message(11, 0, quoted)), "6" + four + " hello"},
        {"fragments missing", ipv4(1, message(11, 1, quoted)), "7" + four + " hello"},
        {"the least that RFC 792 wants: eight bytes of UDP",
         ipv4(1, message(3, 3, Octets(quoted.begin(), quoted.begin() + 28))), "0" + four + " "},
        {"it quotes a later fragment", ipv4(1, message(3, 3, ipv4(17, text("abcdefgh"), 9))),
         "0 192.0.2.1:0 192.0.2.2:0 17 "},
        {"an echo reply is no error", ipv4(1, message(0, 0, quoted)), ""},
        {"a redirect is no error", ipv4(1, message(5, 1, quoted)), ""},
        {"it quotes no IP", ipv4(1, message(3, 3, text("nonsense"))), ""},
        {"it ends too early", ipv4(1, message(3, 3, Octets(quoted.begin(), quoted.begin() + 19))), ""},
        {"port unreachable (6)", ipv6(58, message(1, 4, quoted6)), "0" + six + " hello"},
        {"prohibited (6)", ipv6(58, message(1, 1, quoted6)), "4" + six + " hello"},
        {"address unreachable (6)", ipv6(58, message(1, 3, quoted6)), "2" + six + " hello"},
        {"it quotes a first fragment (6)", ipv6(58, message(1, 4, ipv6(44, fragment6(1, udp(text("hello")))))),
         "0" + six + " hello"},
        {"it quotes a later fragment (6)", ipv6(58, message(1, 4, ipv6(44, fragment6(17, udp(text("hello")))))),
         "0 [2001:db8::1]:0 [2001:db8::2]:0 17 "},
        {"ICMP in IPv6", ipv6(1, message(3, 3, quoted)), ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        std::string told;
        Decoder decoder;
        decoder.on_icmp_error = [&](const IcmpError& error) {
            told += std::to_string(static_cast<int>(error.reason)) + " " + to_string(error.quoted_source) + " " +
                    to_string(error.quoted_destination) + " " + std::to_string(error.protocol) + " " +
                    std::string(error.quoted.begin(), error.quoted.end());
            CHECK(error.sender == *IpAddress::parse(c.bytes[0] == 0x45 ? "192.0.2.1" : "2001:db8::1"));
            CHECK(error.seen == Sighting{.frame = 1, .hops = 64});
        };
        CHECK_FALSE(decoder.decode({.frame = 1, .link_type = 101, .bytes = c.bytes}));
        CHECK(told == c.want);
    }
}

TEST_CASE("capture::Decoder: fragments that never come are told, with what there is") {
    const Octets whole = udp(text(std::string(32, 'x')));
    const Octets first = ipv4(17, Octets(whole.begin(), whole.begin() + 16), 0x2000);
    const Octets middle = ipv4(17, Octets(whole.begin() + 16, whole.begin() + 32), 0x2002);
    const Octets last = ipv4(17, Octets(whole.begin() + 32, whole.end()), 4);
    Octets short_first = ipv4(17, whole, 0x2000);
    short_first.resize(short_first.size() - 8);  // a snapshot length
    const Octets other = ipv6(17, udp(text("x")));
    const std::string begun = "17 1 begins 192.0.2.1:5060 192.0.2.2:5062 ";
    struct Case {
        const char* why;
        std::vector<std::pair<double, const Octets*>> packets;  ///< seconds
        std::string want;
    };
    const std::vector<Case> cases = {
        {"all there", {{0, &first}, {0, &middle}, {0, &last}}, ""},
        {"only the first: as far as anyone knows the filter took the others", {{0, &first}}, begun + "xxxxxxxx\n"},
        {"the last is missing", {{0, &first}, {0, &middle}}, begun + std::string(24, 'x') + " later\n"},
        {"one in between is missing", {{0, &first}, {0, &last}}, begun + "xxxxxxxx end later\n"},
        {"the first is missing", {{0, &middle}, {0, &last}}, "17 1 end later\n"},
        {"later ones alone", {{0, &last}}, "17 1 end later\n"},
        {"they came too late", {{0, &first}, {11, &middle}, {11, &last}}, begun + "xxxxxxxx\n17 2 end later\n"},
        {"told in time by any other packet", {{0, &first}, {11, &other}}, begun + "xxxxxxxx\n"},
        {"captured twice, one after the other",
         {{0, &first}, {0, &first}, {0, &middle}, {0, &middle}, {0, &last}, {0, &last}},
         ""},
        {"the capture has less of it", {{0, &short_first}}, begun + std::string(24, 'x') + " cut\n"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        std::string told;
        Decoder decoder;
        decoder.on_lost_fragments = [&](const LostFragments& lost) {
            told += std::to_string(lost.protocol) + " " + std::to_string(lost.first.frame);
            if (lost.begin) told += " begins " + shown(lost.begin);
            told += std::string(lost.end_seen ? " end" : "") + (lost.later_pieces_seen ? " later" : "") +
                    (lost.cut ? " cut" : "") + "\n";
        };
        std::uint64_t frame = 0;
        for (const auto& [time, bytes] : c.packets)
            (void)decoder.decode({.frame = ++frame,
                                  .time_ns = static_cast<std::int64_t>(time * 1e9) + 1,
                                  .link_type = 101,
                                  .bytes = *bytes});
        decoder.finish();
        CHECK(told == c.want);
    }
}

TEST_CASE("capture::Decoder: a flood of lone fragments is forgotten, and what comes after still works") {
    Decoder decoder;
    unsigned told = 0;
    decoder.on_lost_fragments = [&](const LostFragments&) { ++told; };
    for (unsigned i = 0; i < 5000; ++i) {
        Octets lone = ipv4(17, Octets(16, 1), 0x2000);
        lone[4] = static_cast<std::uint8_t>(i >> 8);
        lone[5] = static_cast<std::uint8_t>(i);
        CHECK_FALSE(decoder.decode({.frame = i + 1, .link_type = 101, .bytes = lone}));
    }
    CHECK(decoder.decode({.frame = 6000, .link_type = 101, .bytes = ipv4(17, udp(text("x")))}));
    decoder.finish();
    CHECK(told == 5000);
}
