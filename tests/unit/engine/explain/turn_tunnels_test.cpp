#include "natkit/engine/explain/captures/turn_tunnels.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace natkit;
using namespace natkit::explain;

namespace {

using Bytes = std::vector<std::uint8_t>;

const Endpoint client = *Endpoint::parse("10.0.0.9:40000");
const Endpoint server = *Endpoint::parse("203.0.113.5:3478");
const Endpoint relayed = *Endpoint::parse("203.0.113.5:50000");
const Endpoint peer = *Endpoint::parse("203.0.113.20:4002");

void put16(Bytes& bytes, unsigned value) {
    bytes.push_back(static_cast<std::uint8_t>(value >> 8U));
    bytes.push_back(static_cast<std::uint8_t>(value));
}

Bytes attribute(unsigned type, const Bytes& value) {
    Bytes bytes;
    put16(bytes, type);
    put16(bytes, static_cast<unsigned>(value.size()));
    bytes.insert(bytes.end(), value.begin(), value.end());
    bytes.resize((bytes.size() + 3) / 4 * 4);
    return bytes;
}

Bytes message(unsigned type, const std::vector<Bytes>& attributes) {
    Bytes bytes;
    put16(bytes, type);
    put16(bytes, 0);
    bytes.insert(bytes.end(), {0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    for (const Bytes& one : attributes) bytes.insert(bytes.end(), one.begin(), one.end());
    bytes[3] = static_cast<std::uint8_t>(bytes.size() - 20);
    return bytes;
}

Bytes hidden(const Endpoint& at) {
    Bytes value{0, 1};
    put16(value, at.port ^ 0x2112U);
    const std::uint8_t mask[] = {0x21, 0x12, 0xa4, 0x42};
    for (std::size_t i = 0; i < 4; ++i) value.push_back(at.address.bytes()[i] ^ mask[i]);
    return value;
}

const Bytes media{0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7};

/// "203.0.113.5:50000 203.0.113.20:4002 12": source, destination and length of what is in it.
std::string unwrapped(TurnTunnels& tunnels, const Endpoint& source, const Endpoint& destination, const Bytes& bytes) {
    const auto inner = tunnels.unwrap(source, destination, bytes);
    if (!inner) return "";
    return to_string(inner->source) + " " + to_string(inner->destination) + " " + std::to_string(inner->payload.size());
}

Bytes channel(unsigned number, const Bytes& inner) {
    Bytes bytes;
    put16(bytes, number);
    put16(bytes, static_cast<unsigned>(inner.size()));
    bytes.insert(bytes.end(), inner.begin(), inner.end());
    return bytes;
}

}  // namespace

TEST_CASE("explain::TurnTunnels: what is wrapped is read as what the server passes on") {
    TurnTunnels tunnels;
    const Bytes send = message(0x0016, {attribute(0x0012, hidden(peer)), attribute(0x0013, media)});
    CHECK(unwrapped(tunnels, client, server, send).empty());  // of whom nothing is known
    CHECK(unwrapped(tunnels, server, client, message(0x0103, {attribute(0x0016, hidden(relayed))})).empty());
    CHECK(unwrapped(tunnels, client, server, send) == "203.0.113.5:50000 203.0.113.20:4002 12");
    const Bytes received = message(0x0017, {attribute(0x0012, hidden(peer)), attribute(0x0013, media)});
    CHECK(unwrapped(tunnels, server, client, received) == "203.0.113.20:4002 203.0.113.5:50000 12");
    CHECK(unwrapped(tunnels, client, server, channel(0x4001, media)).empty());
    const Bytes bind = message(0x0009, {attribute(0x000c, {0x40, 1, 0, 0}), attribute(0x0012, hidden(peer))});
    CHECK(unwrapped(tunnels, client, server, bind).empty());
    CHECK(unwrapped(tunnels, client, server, channel(0x4001, media)) == "203.0.113.5:50000 203.0.113.20:4002 12");
    CHECK(unwrapped(tunnels, server, client, channel(0x4001, media)) == "203.0.113.20:4002 203.0.113.5:50000 12");
    CHECK(unwrapped(tunnels, client, server, channel(0x4002, media)).empty());
}

TEST_CASE("explain::TurnTunnels: what is cut short is nothing") {
    TurnTunnels tunnels;
    const Bytes allocated = message(0x0103, {attribute(0x0016, hidden(relayed))});
    const Bytes send = message(0x0016, {attribute(0x0012, hidden(peer)), attribute(0x0013, media)});
    for (std::size_t length = 0; length < allocated.size(); ++length) {
        const Bytes part(allocated.begin(), allocated.begin() + static_cast<std::ptrdiff_t>(length));
        CHECK(unwrapped(tunnels, server, client, part).empty());
    }
    CHECK(unwrapped(tunnels, client, server, send).empty());
    (void)unwrapped(tunnels, server, client, allocated);
    for (std::size_t length = 0; length < send.size(); ++length) {
        const Bytes part(send.begin(), send.begin() + static_cast<std::ptrdiff_t>(length));
        CHECK(unwrapped(tunnels, client, server, part).empty());
    }
    Bytes longer = channel(0x4001, media);
    longer[3] = 200;
    CHECK(unwrapped(tunnels, client, server, longer).empty());
}
