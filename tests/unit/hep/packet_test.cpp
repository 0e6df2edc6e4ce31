#include "natkit/hep/packet.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chunks.hpp"

using namespace natkit;
using namespace natkit::test;

namespace {

std::string shown(const std::optional<hep::Packet>& packet) {
    if (!packet) return "nothing";
    return to_string(packet->source) + " " + to_string(packet->destination) + " " + std::to_string(packet->protocol) +
           " " + std::to_string(packet->time_ns) + " " + std::to_string(packet->agent) + " " +
           std::to_string(static_cast<int>(packet->content)) + " " +
           std::string(packet->payload.begin(), packet->payload.end()) +
           (packet->correlation.empty() ? "" : " of " + std::string(packet->correlation)) +
           (packet->node.empty() ? "" : " by " + std::string(packet->node));
}

}  // namespace

TEST_CASE("hep::read: what it tells, and what is none") {
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
         "[2001:db8::1]:5060 [2001:db8::2]:5062 0 0 0 4 "},
        {"RTCP", packet(addresses() + ports() + chunk(11, {5}) + chunk(15, text("x"))),
         "192.0.2.1:5060 192.0.2.2:5062 0 0 0 2 x"},
        {"a report on a stream", packet(addresses() + ports() + chunk(11, {34}) + chunk(15, text("{}"))),
         "192.0.2.1:5060 192.0.2.2:5062 0 0 0 3 {}"},
        {"what it belongs to, and the agent's name", packet(good + chunk(17, text("call-1")) + chunk(19, text("edge"))),
         want + " of call-1 by edge"},
        {"a number of the wrong length is passed over", packet(good + chunk(12, {1, 2}) + chunk(2, {1, 2, 3})), want},
        {"no addresses", packet(ports() + chunk(15, text("x"))), "nothing"},
        {"no ports", packet(addresses() + chunk(15, text("x"))), "nothing"},
        {"no payload", packet(addresses() + ports()), "nothing"},
        {"a compressed payload, as it is", packet(addresses() + ports() + chunk(16, text("x"))),
         "192.0.2.1:5060 192.0.2.2:5062 0 0 0 4 x"},
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
        CHECK(shown(hep::read(c.bytes)) == c.want);
    }
}

namespace {

std::vector<std::uint8_t> written(const hep::Packet& packet, std::size_t room = hep::largest_datagram) {
    std::vector<std::uint8_t> bytes(room);
    bytes.resize(hep::write(packet, bytes));
    return bytes;
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("hep::write: chunk by chunk") {
    hep::Packet packet{.source = *Endpoint::parse("192.0.2.1:5060"),
                       .destination = *Endpoint::parse("192.0.2.2:5062"),
                       .protocol = 17,
                       .time_ns = 1'700'000'000'250'000'999,
                       .agent = 2001,
                       .content = hep::Packet::Content::sip,
                       .payload = bytes_of("hello"),
                       .correlation = "call-1",
                       .node = "edge"};
    const auto rest = [](unsigned protocol, unsigned content) {
        return ports() + chunk(9, number(1'700'000'000, 4)) + chunk(10, number(250'000, 4)) +
               chunk(11, {static_cast<std::uint8_t>(content)}) + chunk(12, number(2001, 4)) +
               (protocol == 17 ? chunk(17, text("call-1")) + chunk(19, text("edge")) : Octets{}) +
               chunk(15, text("hello"));
    };
    CHECK(written(packet) == ::packet(chunk(1, {2}) + chunk(2, {17}) + addresses() + rest(17, 1)));
    packet.source = *Endpoint::parse("[2001:db8::1]:5060");
    packet.destination = *Endpoint::parse("[2001:db8::2]:5062");
    packet.protocol = 6;
    packet.content = hep::Packet::Content::rtcp;
    packet.correlation = packet.node = {};
    CHECK(written(packet) ==
          ::packet(chunk(1, {10}) + chunk(2, {6}) + chunk(5, address6(1)) + chunk(6, address6(2)) + rest(6, 5)));
}

TEST_CASE("hep::write: what has no room") {
    const std::string long_text(70'000, 'x');
    hep::Packet packet{.source = *Endpoint::parse("[2001:db8::1]:5060"),
                       .destination = *Endpoint::parse("[2001:db8::2]:5062"),
                       .content = hep::Packet::Content::sip,
                       .payload = bytes_of(long_text),
                       .correlation = std::string_view(long_text).substr(0, 512),
                       .node = std::string_view(long_text).substr(0, 513)};
    const auto bytes = written(packet);
    CHECK(bytes.size() == hep::largest_datagram);
    const auto read = hep::read(bytes);
    REQUIRE(read);
    CHECK(read->payload.size() > 64'000);
    CHECK(read->correlation.size() == 512);
    CHECK(read->node.empty());
    CHECK(written(packet, 100'000).size() == 65'535);  // a length has two bytes
}

TEST_CASE("hep::write: read() gives it back") {
    std::mt19937 random(1);
    const auto endpoint = [&](bool v4) {
        std::array<std::uint8_t, 16> raw{};
        for (auto& byte : raw) byte = static_cast<std::uint8_t>(random());
        return Endpoint{.address = v4 ? IpAddress::v4(static_cast<std::uint32_t>(random())) : IpAddress::v6(raw),
                        .port = static_cast<std::uint16_t>(random())};
    };
    const auto bytes = [&](std::size_t most) {
        std::string text(random() % (most + 1), ' ');
        for (char& letter : text) letter = static_cast<char>(random());
        return text;
    };
    for (int i = 0; i < 2000; ++i) {
        const std::string payload = bytes(i % 10 == 0 ? 60'000 : 1'500), correlation = bytes(512), node = bytes(64);
        const bool v4 = random() % 2 == 0;
        const hep::Packet packet{.source = endpoint(v4),
                                 .destination = endpoint(v4),
                                 .protocol = static_cast<std::uint8_t>(random()),
                                 .time_ns = static_cast<std::int64_t>(random()) * 1'000'000'000 +
                                            static_cast<std::int64_t>(random() % 1'000'000) * 1'000,
                                 .agent = static_cast<std::uint32_t>(random()),
                                 .content = static_cast<hep::Packet::Content>(random() % 5),
                                 .payload = bytes_of(payload),
                                 .compressed = random() % 4 == 0,
                                 .correlation = correlation,
                                 .node = node};
        const auto wire = written(packet);
        const auto back = hep::read(wire);
        REQUIRE(back);
        CHECK(back->source == packet.source);
        CHECK(back->destination == packet.destination);
        CHECK(back->protocol == packet.protocol);
        CHECK(back->time_ns == packet.time_ns);
        CHECK(back->agent == packet.agent);
        CHECK(back->content == packet.content);
        CHECK(std::ranges::equal(back->payload, packet.payload));
        CHECK(back->compressed == packet.compressed);
        CHECK(back->correlation == correlation);
        CHECK(back->node == node);
    }
}
