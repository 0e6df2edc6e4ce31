#include "natkit/io/net/udp_ports.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <vector>

#include "run_until.hpp"

using namespace natkit;
using namespace natkit::io;
using namespace std::chrono_literals;

namespace {

/// A socket that counts what comes.
struct Owner {
    int got = 0;
    std::unique_ptr<UdpPorts::Socket> socket;

    explicit Owner(UdpPorts& ports, const char* local = "127.0.0.1:0")
        : socket(std::make_unique<UdpPorts::Socket>(ports, open_udp(Endpoint::parse(local).value()).value(), this)) {}
    [[nodiscard]] Endpoint local() const { return local_endpoint(socket->fd()).value(); }
};

void send(const Fd& from, const Endpoint& to) {
    constexpr std::array<std::uint8_t, 3> bytes{1, 2, 3};
    CHECK(send_udp(from, to, bytes).status == SendStatus::sent);
}

}  // namespace

TEST_CASE("io::UdpPorts: datagrams reach the owner of their socket, of either family, whole and with their source") {
    for (const char* local : {"127.0.0.1:0", "[::1]:0"}) {
        CAPTURE(local);
        Loop loop;
        Endpoint source;
        UdpPorts ports(loop, [&](void* owner, const Datagram& datagram) {
            ++static_cast<Owner*>(owner)->got;
            source = datagram.source;
            CHECK(datagram.bytes.size() == 3);
        });
        std::vector<std::unique_ptr<Owner>> owners(400);
        for (auto& owner : owners) owner = std::make_unique<Owner>(ports, local);
        const Fd sender = open_udp(Endpoint::parse(local).value()).value();
        for (const auto& owner : owners) send(sender, owner->local());
        send(sender, owners[7]->local());
        const auto all_got = [&] {
            for (const auto& owner : owners) {
                if (owner->got < (owner == owners[7] ? 2 : 1)) return false;
            }
            return true;
        };
        CHECK(run_until(loop, all_got));
        CHECK(source == local_endpoint(sender).value());
        CHECK(owners[7]->got == 2);
        CHECK(owners[8]->got == 1);
    }
}

TEST_CASE("io::UdpPorts: the callback may destroy its socket and those that are ready too") {
    Loop loop;
    std::vector<std::unique_ptr<Owner>> owners;
    int calls = 0;
    UdpPorts ports(loop, [&](void*, const Datagram&) {
        ++calls;
        for (auto& owner : owners) owner->socket.reset();
    });
    for (int i = 0; i < 3; ++i) owners.push_back(std::make_unique<Owner>(ports));
    Owner later(ports);
    const Fd sender = open_udp(Endpoint::parse("127.0.0.1:0").value()).value();
    for (const auto& owner : owners) {
        send(sender, owner->local());
        send(sender, owner->local());
    }
    REQUIRE(run_until(loop, [&] { return calls > 0; }));
    send(sender, later.local());
    REQUIRE(run_until(loop, [&] { return calls > 1; }));
    CHECK(calls == 2);
}

TEST_CASE("io::UdpPorts: a socket that is given away keeps its port and what it holds") {
    Loop loop;
    int first_got = 0;
    int second_got = 0;
    UdpPorts first(loop, [&](void*, const Datagram&) { ++first_got; });
    UdpPorts second(loop, [&](void*, const Datagram&) { ++second_got; });
    Owner owner(first);
    const Endpoint local = owner.local();
    const Fd sender = open_udp(Endpoint::parse("127.0.0.1:0").value()).value();
    send(sender, local);
    Fd given = owner.socket->release();
    owner.socket.reset();
    const UdpPorts::Socket taken(second, std::move(given), nullptr);
    send(sender, local);
    CHECK(run_until(loop, [&] { return second_got == 2; }));
    CHECK(first_got == 0);
}

TEST_CASE("io::UdpPorts: an ICMP error to a connected socket does not make it deaf") {
    Loop loop;
    int got = 0;
    UdpPorts ports(loop, [&](void*, const Datagram&) { ++got; });
    const Fd bound = open_udp(Endpoint::parse("127.0.0.1:0").value()).value();
    Fd gone = open_udp(Endpoint::parse("127.0.0.1:0").value()).value();
    const Endpoint there = local_endpoint(gone).value();
    gone.reset();
    const UdpPorts::Socket twin(ports, open_connected_twin(bound, there).value(), nullptr);
    constexpr std::array<std::uint8_t, 1> bytes{1};
    CHECK(send_udp(twin.fd(), bytes).status == SendStatus::sent);
    bool over = false;
    Timer wait(loop, [&] { over = true; });
    wait.start_in(50ms);
    while (!over) loop.run_once();
    const Fd back = open_udp(there).value();
    send(back, local_endpoint(bound).value());
    CHECK(run_until(loop, [&] { return got == 1; }));
}
