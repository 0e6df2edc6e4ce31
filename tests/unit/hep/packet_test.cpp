#include "natkit/hep/packet.hpp"

#include <doctest/doctest.h>

#include <string>
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
           std::string(packet->payload.begin(), packet->payload.end());
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
        CHECK(shown(hep::read(c.bytes)) == c.want);
    }
}
