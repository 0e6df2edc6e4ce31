#include "natkit/io/net/awaited.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "natkit/io/net/host.hpp"
#include "natkit/io/net/stream.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;
using namespace natkit::io;

namespace {

Endpoint at(const char* text) {
    return Endpoint::parse(text).value();
}
constexpr std::array<std::uint8_t, 1> byte{7};

bool hears(const Fd& socket) {
    std::array<char, 8> room{};
    return ::recv(socket.get(), room.data(), room.size(), MSG_DONTWAIT) >= 0;
}

/// Whether a connection comes about at once, as one to this host does.
bool connects(const Endpoint& to) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(to.port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)::connect(socket.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there);
    pollfd poll{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    REQUIRE(::poll(&poll, 1, 0) >= 0);
    return poll.revents == POLLOUT;
}

}  // namespace

TEST_CASE("io::Presence: an address that is awaited is bound to, and its port is taken") {
    struct Case {
        const char* local;
        const char* remote;
    };
    for (const Case& c :
         {Case{"198.18.5.77:0", "198.51.100.9:4000"}, Case{"[2001:db8:ffff::77]:0", "[2001:db8::9]:4000"}}) {
        CAPTURE(c.local);
        const auto udp = open_udp(at(c.local), {.address = Presence::awaited});
        REQUIRE(udp.has_value());
        const Endpoint local = local_endpoint(*udp).value();
        CHECK(presence_of(*udp, local.address.family()) == Presence::awaited);
        CHECK(open_udp(local, {.address = Presence::awaited}).error().code == Errc::refused);
        CHECK_FALSE(is_here(local.address));
        if (local.address.is_v4()) {
            CHECK(send_udp(*udp, at(c.remote), byte).status == SendStatus::failed);
            CHECK_FALSE(open_connected_twin(*udp, at(c.remote)).has_value());
        }
        CHECK(open_tcp_listener(at(c.local), Presence::awaited).has_value());
        CHECK(open_stream_listener(at(c.local), Presence::awaited).has_value());
        CHECK_FALSE(open_tcp_listener(at(c.local)).has_value());
        CHECK_FALSE(open_stream_listener(at(c.local)).has_value());
    }
    const auto usual = open_udp(at("127.0.0.1:0"));
    CHECK(presence_of(*usual, Family::ipv4) == Presence::needed);
    CHECK(is_here(at("127.0.0.1:0").address));
    CHECK(is_here(at("[::1]:0").address));
}

TEST_CASE("io::set_deaf: what comes to a deaf socket is gone, unanswered, until it hears again") {
    const auto udp = open_udp(at("127.0.0.1:0"));
    const auto sender = open_udp(at("127.0.0.1:0"));
    REQUIRE(udp.has_value());
    const Endpoint local = local_endpoint(*udp).value();
    REQUIRE(set_deaf(udp->get(), true).has_value());
    CHECK(send_udp(*sender, local, byte).status == SendStatus::sent);
    CHECK(send_udp(*sender, local, byte).status == SendStatus::sent);  // no ICMP message has come meanwhile
    CHECK_FALSE(hears(*udp));
    REQUIRE(set_deaf(udp->get(), false).has_value());
    CHECK_FALSE(hears(*udp));
    CHECK(send_udp(*sender, local, byte).status == SendStatus::sent);
    CHECK(hears(*udp));
    CHECK(set_deaf(udp->get(), false).has_value());

    const auto tcp = open_stream_listener(at("127.0.0.1:0"));
    REQUIRE(tcp.has_value());
    const Endpoint listening = local_endpoint(*tcp).value();
    REQUIRE(set_deaf(tcp->get(), true).has_value());
    CHECK_FALSE(connects(listening));
    REQUIRE(set_deaf(tcp->get(), false).has_value());
    CHECK(connects(listening));
}
