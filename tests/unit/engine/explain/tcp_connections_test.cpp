#include "natkit/engine/explain/captures/tcp_connections.hpp"

#include <doctest/doctest.h>

#include <string>

#include "made.hpp"

using namespace natkit;
using namespace natkit::explain;
using namespace natkit::test;

namespace {

/// Segments between a client and a server, a frame each.
struct Wire {
    TcpConnections connections = {};
    std::uint64_t frame = 0;
    std::int64_t now = 1'000 * ms;

    const Endpoint client = *Endpoint::parse("192.0.2.1:40000");
    const Endpoint server = *Endpoint::parse("192.0.2.2:5060");

    /// `what`: "c" or "s" sends S(YN), A(CK), F(IN), R(ST), a number of bytes; `at`: its sequence number.
    void send(std::int64_t later_ms, const std::string& what, std::uint32_t at = 0, std::uint32_t acknowledged = 0) {
        static const std::string bytes(1000, 'x');
        now += later_ms * ms;
        const bool by_client = what[0] == 'c';
        std::size_t size = 0;
        for (const char c : what)
            if (c >= '0' && c <= '9') size = size * 10 + static_cast<std::size_t>(c - '0');
        const auto has = [&](char c) { return what.find(c) != std::string::npos; };
        connections.on_segment({.protocol = capture::Datagram::Protocol::tcp,
                                .seen = {.frame = ++frame, .time_ns = now},
                                .source = by_client ? client : server,
                                .destination = by_client ? server : client,
                                .payload = {reinterpret_cast<const std::uint8_t*>(bytes.data()), size},
                                .sequence = at,
                                .acknowledged = has('A') ? std::optional(acknowledged) : std::nullopt,
                                .syn = has('S'),
                                .fin = has('F'),
                                .rst = has('R')});
    }
    std::vector<diagnose::TcpConnection> troubled() const { return connections.troubled(0, now); }
};

}  // namespace

TEST_CASE("explain::TcpConnections: begun, used and closed") {
    Wire wire;
    wire.send(0, "cS", 100);
    wire.send(10, "sSA", 500, 101);
    wire.send(10, "cA", 101, 501);
    wire.send(0, "cA300", 101, 501);
    wire.send(1, "cA300", 101, 501);  // the same on another interface
    wire.send(10, "sA200", 501, 401);
    wire.send(10, "cA", 401, 701);
    CHECK(wire.troubled().empty());
    wire.send(1000, "sFA", 701, 401);
    wire.send(10, "cA100", 401, 702);
    const auto found = wire.troubled();
    REQUIRE(found.size() == 1);
    CHECK(found[0].client == wire.client);
    CHECK(found[0].syns == 1);
    CHECK(found[0].accepted);
    CHECK_FALSE(found[0].refused());
    CHECK(found[0].from_client.segments == 2);
    CHECK(found[0].from_client.again == 0);
    CHECK(found[0].from_client.after_close == 1);
    CHECK(found[0].from_client.unacknowledged_frame == 9);
    CHECK_FALSE(found[0].from_server.unacknowledged_ns);
    REQUIRE(found[0].closed);
    CHECK(found[0].closed->frame == 8);
    CHECK_FALSE(found[0].closed->by_client);
    CHECK_FALSE(found[0].closed->reset);
}

TEST_CASE("explain::TcpConnections: SYN unanswered, refused, and the same ports again") {
    Wire wire;
    wire.send(0, "cS", 100);
    wire.send(1, "cS", 100);  // a copy
    wire.send(1000, "cS", 100);
    wire.send(2000, "cS", 100);
    wire.send(9000, "cS", 7000);
    wire.send(10, "sRA", 0, 7001);
    const auto found = wire.troubled();
    REQUIRE(found.size() == 2);
    CHECK(found[0].syns == 3);
    CHECK_FALSE(found[0].accepted);
    CHECK_FALSE(found[0].closed);
    CHECK(found[1].first_frame == 5);
    CHECK(found[1].syns == 1);
    CHECK(found[1].refused());
    CHECK(wire.connections.troubled(0, found[0].last_ns).size() == 1);
}

TEST_CASE("explain::TcpConnections: half-open, and captured in the middle") {
    Wire wire;
    wire.send(0, "sA10", 900, 50);
    wire.send(10, "cA", 50, 910);
    wire.send(60'000, "cA200", 50, 910);
    wire.send(200, "cA200", 50, 910);
    wire.send(400, "cA200", 50, 910);
    const auto found = wire.troubled();
    REQUIRE(found.size() == 1);
    CHECK(found[0].syns == 0);
    CHECK(found[0].client == wire.server);  // who was heard first
    CHECK(found[0].from_server.segments == 3);
    CHECK(found[0].from_server.again == 2);
    CHECK(found[0].from_server.unacknowledged_frame == 3);
    CHECK(found[0].from_server.unacknowledged_ns == 61'010 * ms);
}
