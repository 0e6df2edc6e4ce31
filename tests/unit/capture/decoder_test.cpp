#include "natkit/capture/decoder.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::capture;

namespace {

using Octets = std::vector<std::uint8_t>;

Octets operator+(Octets a, const Octets& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

Octets number16(unsigned value) {
    return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

Octets text(std::string_view bytes) {
    return {bytes.begin(), bytes.end()};
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
        CHECK(shown(decoder.decode({.frame = 1, .link_type = c.link_type, .bytes = c.bytes})) == c.want);
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

TEST_CASE("capture::Decoder: a flood of lone fragments is forgotten, and what comes after still works") {
    Decoder decoder;
    for (unsigned i = 0; i < 5000; ++i) {
        Octets lone = ipv4(17, Octets(16, 1), 0x2000);
        lone[4] = static_cast<std::uint8_t>(i >> 8);
        lone[5] = static_cast<std::uint8_t>(i);
        CHECK_FALSE(decoder.decode({.frame = i + 1, .link_type = 101, .bytes = lone}));
    }
    CHECK(decoder.decode({.frame = 6000, .link_type = 101, .bytes = ipv4(17, udp(text("x")))}));
}
