#include "plane/steered_ports.hpp"

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "../../io/own_loopback.hpp"
#include "../../io/run_until.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

constexpr PortRange range{.first = 42000, .last = 42099};
constexpr std::array<std::uint8_t, 3> words{1, 2, 3};

/// Null where this process has not got the rights, or the build not the means: the tests then say so and end.
std::unique_ptr<SteeredPorts> steered_or_skip(unsigned workers) {
    auto started = SteeredPorts::start(range, workers);
    if (started) return std::move(*started);
    MESSAGE("skipped: " << to_string(started.error()));
    return nullptr;
}

/// One worker's end: what came, and what could not be sent.
struct End {
    std::vector<Endpoint> from;
    std::vector<Endpoint> to;
    std::vector<std::size_t> sizes;
    int refused = 0;
    int unsent = 0;
    io::SharedUdp udp;

    End(io::Loop& loop, SteeredPorts& steered, unsigned worker)
        : udp(loop, steered.take_sockets(worker),
              {.on_datagram =
                   [this](const io::Datagram& packet) {
                       from.push_back(packet.source);
                       to.push_back({packet.destination, packet.destination_port});
                       sizes.push_back(packet.bytes.size());
                   },
               .on_unsent = [this](const io::SharedUdp::Departure&, int) { ++unsent; },
               .on_refused = [this](const Endpoint&) { ++refused; }}) {}
};

}  // namespace

TEST_CASE("relay::SteeredPorts: a claimed port is heard with its number, others by whoever is bound to them") {
    const auto steered = steered_or_skip(1);
    if (!steered) return;
    io::Loop loop;
    End end(loop, *steered, 0);
    for (const char* address : {"127.0.0.1", "::1"}) {
        const IpAddress loopback = IpAddress::parse(address).value();
        if (!steered->serves(loopback.family())) continue;
        end.to.clear();
        end.from.clear();
        const Endpoint port{loopback, 42010};
        REQUIRE(steered->claim(port).has_value());
        CHECK(steered->claim(port).error().code == Errc::refused);
        const auto party = io::open_udp({loopback, 0}).value();
        CHECK(io::send_udp(party, port, words).status == io::SendStatus::sent);
        CHECK(run_until(loop, [&] { return end.to.size() == 1; }));
        CHECK(end.to == std::vector{port});
        CHECK(end.from == std::vector{io::local_endpoint(party).value()});

        std::vector<Endpoint> heard;
        const io::UdpSocket foreign(loop, io::open_udp({loopback, 42011}).value(),
                                    [&](const io::Datagram& packet) { heard.push_back(packet.source); });
        CHECK(io::send_udp(party, {loopback, 42011}, words).status == io::SendStatus::sent);
        CHECK(run_until(loop, [&] { return heard.size() == 1; }));
        CHECK(end.to.size() == 1);
        steered->release(port);
    }
}

TEST_CASE("relay::SteeredPorts: what is sent comes from the port it names, large packets in fragments") {
    const auto steered = steered_or_skip(1);
    if (!steered) return;
    io::Loop loop;
    End end(loop, *steered, 0);
    for (const char* address : {"127.0.0.1", "::1"}) {
        const IpAddress loopback = IpAddress::parse(address).value();
        if (!steered->serves(loopback.family())) continue;
        std::vector<Endpoint> sources;
        std::vector<std::size_t> sizes;
        const io::UdpSocket party(loop, io::open_udp({loopback, 0}).value(), [&](const io::Datagram& packet) {
            sources.push_back(packet.source);
            sizes.push_back(packet.bytes.size());
        });
        const Endpoint port{loopback, 42020};
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{172}, std::size_t{9001}}) {
            const std::vector<std::uint8_t> bytes(size, 0xff);
            end.udp.send({.from = port, .to = party.local(), .bytes = bytes});
            end.udp.flush();
        }
        CHECK(run_until(loop, [&] { return sizes.size() == 4; }));
        CHECK(sizes == std::vector<std::size_t>{0, 1, 172, 9001});
        CHECK(sources == std::vector<Endpoint>(4, port));
    }
    CHECK(end.unsent == 0);
}

TEST_CASE("relay::SteeredPorts: a closed port at the other side is told") {
    const auto steered = steered_or_skip(1);
    if (!steered) return;
    io::Loop loop;
    End end(loop, *steered, 0);
    const IpAddress here = own_loopback();
    const Endpoint port{here, 42030};
    REQUIRE(steered->claim(port).has_value());
    end.udp.send({.from = port, .to = {here, 42031}, .bytes = words});
    end.udp.flush();
    CHECK(run_until(loop, [&] { return end.refused == 1; }));
    // And what comes after the error is heard.
    const auto party = io::open_udp({here, 0}).value();
    CHECK(io::send_udp(party, port, words).status == io::SendStatus::sent);
    CHECK(run_until(loop, [&] { return end.to.size() == 1; }));
}

TEST_CASE("relay::SteeredPorts: packets to a port that nobody has attached yet wait for a second, 256 of them") {
    const auto steered = steered_or_skip(2);
    if (!steered) return;
    const IpAddress here = own_loopback();
    int told = 0;
    steered->listen(0, [&] { ++told; });
    const auto keep = [&](std::uint16_t port, Instant now) {
        steered->keep(1, {.bytes = words, .destination = here, .destination_port = port, .came = now});
    };
    const Instant begin{100s};
    keep(9, begin);
    CHECK_MESSAGE(told == 0, "outside the range");
    for (std::uint16_t n = 0; n < 300; ++n) keep(static_cast<std::uint16_t>(range.first + n / 3), begin);
    CHECK(told == 300);
    const auto taken =
        steered->take([](const Endpoint& local) { return local.port < range.first + 20; }, begin + 900ms);
    REQUIRE(taken.size() == 16);
    CHECK(taken.front().destination == Endpoint{here, range.first + 14});
    CHECK(steered->take([](const Endpoint&) { return true; }, begin + 1100ms).empty());
    steered->listen(0, nullptr);
}

TEST_CASE("relay::SteeredPorts: a port goes from one worker to another") {
    const auto steered = steered_or_skip(2);
    if (!steered) return;
    io::Loop loop;
    End one(loop, *steered, 0);
    End other(loop, *steered, 1);
    const Endpoint port{own_loopback(), 42040};
    REQUIRE(steered->claim(port).has_value());
    const auto party = io::open_udp({port.address, 0}).value();
    CHECK(io::send_udp(party, port, words).status == io::SendStatus::sent);
    CHECK(run_until(loop, [&] { return one.to.size() == 1; }));
    steered->hand_to(port, 1);
    CHECK(io::send_udp(party, port, words).status == io::SendStatus::sent);
    CHECK(run_until(loop, [&] { return other.to.size() == 1; }));
    CHECK(one.to.size() == 1);
}
