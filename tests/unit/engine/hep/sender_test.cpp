#include "natkit/engine/hep/sender.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/engine/hep/outlet.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;

namespace {

constexpr std::string_view text = "OPTIONS sip:a SIP/2.0\r\n\r\n";

hep::Packet message() {
    return {.source = *Endpoint::parse("192.0.2.1:5060"),
            .destination = *Endpoint::parse("192.0.2.2:5060"),
            .protocol = 17,
            .content = hep::Packet::Content::sip,
            .payload = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
            .correlation = "call"};
}

/// What has come to a socket, if anything has: the node that sent it and the payload.
std::optional<std::string> came_to(io::Loop& loop, io::Fd& socket) {
    std::optional<std::string> came;
    io::UdpSocket reader(loop, std::move(socket), [&](const io::Datagram& datagram) {
        const auto packet = hep::read(datagram.bytes);
        came = packet ? std::string(packet->node) + " " + std::to_string(packet->agent) + " " +
                            std::string(packet->correlation) + " " +
                            std::string(packet->payload.begin(), packet->payload.end())
                      : "nonsense";
        CHECK((!packet || packet->time_ns > 1'700'000'000'000'000'000));
    });
    bool late = false;
    io::Timer limit(loop, [&] { late = true; });
    limit.start_in(std::chrono::seconds(5));
    while (!came && !late) loop.run_once();
    socket = reader.release();
    return came;
}

}  // namespace

TEST_CASE("hep::Sender: what arrives, and what is counted as lost") {
    for (const char* local : {"127.0.0.1:0", "[::1]:0"}) {
        CAPTURE(local);
        io::Loop loop;
        const auto counters = std::make_shared<hep::Counters>();
        hep::Sender sender(counters);
        CHECK_FALSE(sender.on());
        sender.send(message());  // off: nobody's loss
        CHECK(counters->dropped == 0);

        sender.set(hep::Destination{.collector = {}, .agent = 7, .node = "edge"});
        CHECK(sender.on());
        sender.send(message());  // the name is not known
        CHECK(counters->dropped == 1);

        auto socket = io::open_udp(*Endpoint::parse(local)).value();
        const Endpoint collector = io::local_endpoint(socket).value();
        sender.set(hep::Destination{.collector = collector, .agent = 7, .node = "edge"});
        sender.send(message());
        CHECK(came_to(loop, socket) == "edge 7 call " + std::string(text));
        CHECK(counters->sent == 1);
        CHECK(counters->dropped == 1);

        // Nobody listens any more: each send but the first learns of the one before, and none waits or fails for good.
        socket.reset();
        for (int i = 0; i < 10; ++i) sender.send(message());
        CHECK(counters->sent + counters->dropped == 12);
        CHECK(counters->dropped >= 4);
        socket = io::open_udp(collector).value();
        sender.send(message());
        sender.send(message());
        CHECK(came_to(loop, socket) == "edge 7 call " + std::string(text));

        sender.set(std::nullopt);
        CHECK_FALSE(sender.on());
    }
}

TEST_CASE("hep::Outlet: the configuration becomes a destination, and back") {
    io::Loop loop;
    std::vector<std::optional<hep::Destination>> told;
    hep::Outlet outlet(loop, [&](const auto& destination) { told.push_back(destination); });
    CHECK(outlet.status().is_null());

    config::Hep wanted{.target = config::HepTarget::parse("udp:[2001:db8::1]:9999").value(), .id = 5, .node = "a"};
    outlet.configure(wanted);
    REQUIRE(told.back());
    CHECK(*told.back() ==
          hep::Destination{.collector = *Endpoint::parse("[2001:db8::1]:9999"), .agent = 5, .node = "a"});
    outlet.counters()->sent = 3;
    CHECK(outlet.status() ==
          nlohmann::ordered_json{
              {"target", "udp:[2001:db8::1]:9999"}, {"address", "[2001:db8::1]:9999"}, {"sent", 3}, {"dropped", 0}});
    wanted.node.clear();
    outlet.configure(wanted);
    CHECK_FALSE(told.back()->node.empty());  // the host's name

    wanted.target = config::HepTarget::parse("udp:LocalHost").value();  // by /etc/hosts
    outlet.configure(wanted);
    bool late = false;
    io::Timer limit(loop, [&] { late = true; });
    limit.start_in(std::chrono::seconds(5));
    while (!told.back()->collector && !late) loop.run_once();
    REQUIRE(told.back()->collector);
    CHECK(told.back()->collector->address.is_loopback());
    CHECK(told.back()->collector->port == 9060);

    outlet.configure({});
    CHECK_FALSE(told.back());
    CHECK(outlet.status().is_null());
}
