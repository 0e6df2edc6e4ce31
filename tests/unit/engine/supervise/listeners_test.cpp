#include "sockets/listeners.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>

#include "../../io/own_loopback.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;
using supervise::Listeners;

namespace {

/// A free port, as a listener wants it.
config::Listen free_listen(const char* transport = "udp") {
    const auto socket = io::open_udp({.address = own_loopback(), .port = 0});
    REQUIRE(socket);
    const std::string endpoint = to_string(io::local_endpoint(*socket).value());
    return config::Listen::parse(std::string(transport) + ":" + endpoint).value();
}

ino_t inode(const io::Fd& fd) {
    struct stat info{};
    REQUIRE(::fstat(fd.get(), &info) == 0);
    return info.st_ino;
}

int option(const io::Fd& fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    REQUIRE(::getsockopt(fd.get(), level, name, &value, &length) == 0);
    return value;
}

/// As systemd opens it for a socket unit: SO_REUSEADDR, blocking, and nothing else that we would set.
io::Fd socket_of_systemd(const Endpoint& local, int type, bool reuse_port = false) {
    const int family = local.address.is_v4() ? AF_INET : AF_INET6;
    io::Fd socket(::socket(family, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    if (reuse_port) REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    sockaddr_storage address{};
    socklen_t length = 0;
    if (local.address.is_v4()) {
        sockaddr_in in{.sin_family = AF_INET, .sin_port = htons(local.port), .sin_addr = {}, .sin_zero = {}};
        std::memcpy(&in.sin_addr, local.address.bytes().data(), sizeof in.sin_addr);
        std::memcpy(&address, &in, length = sizeof in);
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(local.port);
        in.sin6_addr = IN6ADDR_LOOPBACK_INIT;
        std::memcpy(&address, &in, length = sizeof in);
    }
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    if (type == SOCK_STREAM) REQUIRE(::listen(socket.get(), 16) == 0);
    return socket;
}

}  // namespace

TEST_CASE("supervise::Listeners: opens, keeps and closes by name") {
    Listeners listeners;
    const auto a = free_listen();
    const auto b = free_listen("tcp");
    REQUIRE(listeners.open(std::vector{a, b}).empty());
    CHECK(listeners.names() == std::vector{to_string(a), to_string(b)});
    const auto first = listeners.duplicates().value();
    CHECK(io::socket_name(first[0])->local == a.endpoint);
    CHECK(io::socket_name(first[1])->stream);
    const auto c = free_listen();
    REQUIRE(listeners.open(std::vector{c, a}).empty());
    const auto second = listeners.duplicates().value();
    CHECK(inode(second[1]) == inode(first[0]));
}

TEST_CASE("supervise::Listeners: a port in use is told by name and remedy, and nothing changes") {
    Listeners listeners;
    const auto mine = free_listen();
    REQUIRE(listeners.open(std::vector{mine}).empty());
    const auto taken = free_listen();
    const auto thief = io::open_udp(taken.endpoint).value();
    const auto problems = listeners.open(std::vector{free_listen(), taken});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].message.starts_with("[sip] listen: udp " + to_string(taken.endpoint) +
                                          ": bind: address already in use; end"));
    CHECK(listeners.names() == std::vector{to_string(mine)});
}

TEST_CASE("supervise::Listeners: a change that is not made closes and opens nothing") {
    Listeners listeners;
    const auto mine = free_listen();
    REQUIRE(listeners.open(std::vector{mine}).empty());
    const ino_t socket = inode(listeners.duplicates().value()[0]);
    const auto other = free_listen();
    {
        const auto change = listeners.prepare(std::vector{other});
        REQUIRE(change);
        CHECK_FALSE(io::open_udp(other.endpoint));
    }
    CHECK(io::open_udp(other.endpoint));
    CHECK(listeners.names() == std::vector{to_string(mine)});
    CHECK(inode(listeners.duplicates().value()[0]) == socket);
    auto change = listeners.prepare(std::vector{other});
    REQUIRE(change);
    listeners.commit(std::move(*change));
    CHECK(listeners.names() == std::vector{to_string(other)});
    CHECK(io::open_udp(mine.endpoint));
}

TEST_CASE("supervise::Listeners: sockets of a survivor or of systemd are taken, not opened again") {
    const auto wanted = free_listen();
    auto survivor = io::open_udp(wanted.endpoint).value();
    const ino_t socket = inode(survivor);
    Listeners listeners;
    REQUIRE(listeners.offer(std::move(survivor)));
    REQUIRE(listeners.open(std::vector{wanted}).empty());
    CHECK(inode(listeners.duplicates().value()[0]) == socket);
    CHECK_FALSE(listeners.offer(io::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))));
}

TEST_CASE("supervise::Listeners: a socket of systemd becomes like one of ours") {
    for (const char* host : {"127.0.0.1", "[::1]"}) {
        for (const bool reuse_port : {false, true}) {
            CAPTURE(host);
            Endpoint local = free_listen().endpoint;
            local.address = Endpoint::parse(std::string(host) + ":1")->address;
            Listeners listeners;
            REQUIRE(listeners.offer(socket_of_systemd(local, SOCK_DGRAM, reuse_port)));
            REQUIRE(listeners.open(std::vector{config::Listen{config::Transport::udp, local}}).empty());
            const auto taken = std::move(listeners.duplicates().value()[0]);
            CHECK(option(taken, SOL_SOCKET, SO_REUSEADDR) == 0);
            CHECK(option(taken, SOL_SOCKET, SO_REUSEPORT) == 0);
            CHECK(option(taken, SOL_SOCKET, SO_RCVBUF) >=
                  option(io::open_udp(local.address.is_v4() ? Endpoint::parse("127.0.0.1:0").value()
                                                            : Endpoint::parse("[::1]:0").value(),
                                      {.tos = {}, .receive_buffer = 4 << 20})
                             .value(),
                         SOL_SOCKET, SO_RCVBUF));
            CHECK(option(taken, local.address.is_v4() ? IPPROTO_IP : IPPROTO_IPV6,
                         local.address.is_v4() ? IP_PKTINFO : IPV6_RECVPKTINFO) == 1);
            CHECK((::fcntl(taken.get(), F_GETFL) & O_NONBLOCK) != 0);
            for (const int shared : {SO_REUSEADDR, SO_REUSEPORT}) {
                io::Fd thief(::socket(local.address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
                const int on = 1;
                REQUIRE(::setsockopt(thief.get(), SOL_SOCKET, shared, &on, sizeof on) == 0);
                sockaddr_in6 where{};
                socklen_t length = sizeof where;
                REQUIRE(::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&where), &length) == 0);
                CHECK(::bind(thief.get(), reinterpret_cast<const sockaddr*>(&where), length) != 0);
            }
        }
    }
    Listeners listeners;
    const auto tcp = free_listen("tcp");
    REQUIRE(listeners.offer(socket_of_systemd(tcp.endpoint, SOCK_STREAM)));
    REQUIRE(listeners.open(std::vector{tcp}).empty());
    CHECK((::fcntl(listeners.duplicates().value()[0].get(), F_GETFL) & O_NONBLOCK) != 0);
    const auto shared = listeners.offer(socket_of_systemd(free_listen("tcp").endpoint, SOCK_STREAM, true));
    REQUIRE_FALSE(shared);
    CHECK(shared.error().message.find("ReusePort=") != std::string::npos);
}

TEST_CASE("supervise::Listeners: what the host has no address for waits, and is opened when it can be") {
    Listeners listeners;
    const auto mine = free_listen();
    const auto absent = config::Listen::parse("udp:192.0.2.77:5060").value();
    REQUIRE(listeners.open(std::vector{absent, mine}).empty());
    CHECK(listeners.names() == std::vector{to_string(mine)});
    CHECK(listeners.waiting() == std::vector{to_string(absent)});
    CHECK(listeners.duplicates()->size() == 1);
    // A port that somebody has waits too where nobody is there to choose another; why is told.
    const auto taken = free_listen();
    std::vector<Error> problems;
    {
        const auto thief = io::open_udp(taken.endpoint).value();
        listeners.commit(listeners.prepare_what_can_be(std::vector{absent, mine, taken}, problems));
        CHECK(problems.size() == 1);
        CHECK(listeners.waiting() == std::vector{to_string(absent), to_string(taken)});
    }
    listeners.commit(listeners.prepare_what_can_be(std::vector{absent, mine, taken}, problems));
    CHECK(problems.size() == 1);
    CHECK(listeners.names() == std::vector{to_string(mine), to_string(taken)});
}

TEST_CASE("supervise::Listeners: a node of a cluster listens before it has the address") {
    const std::vector<config::Listen> wanted = {{config::Transport::udp, *Endpoint::parse("192.0.2.77:5060")},
                                                {config::Transport::tcp, *Endpoint::parse("[2001:db8::77]:5060")}};
    Listeners alone;
    REQUIRE(alone.open(wanted).empty());
    CHECK(alone.names().empty());
    Listeners of_a_cluster(io::Presence::awaited);
    REQUIRE(of_a_cluster.open(wanted).empty());
    CHECK(of_a_cluster.names() == std::vector<std::string>{"udp:192.0.2.77:5060", "tcp:[2001:db8::77]:5060"});
}
