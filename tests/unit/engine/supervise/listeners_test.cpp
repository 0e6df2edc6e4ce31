#include "natkit/engine/supervise/listeners.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "natkit/io/host.hpp"
#include "natkit/io/udp.hpp"

using namespace natkit;
using supervise::Listeners;

namespace {

/// A free port on loopback, as a listener wants it.
config::Listen free_listen(const char* transport = "udp") {
    const auto socket = io::open_udp(Endpoint::parse("127.0.0.1:0").value());
    REQUIRE(socket);
    const std::string endpoint = to_string(io::local_endpoint(*socket).value());
    return config::Listen::parse(std::string(transport) + ":" + endpoint).value();
}

ino_t inode(const io::Fd& fd) {
    struct stat info{};
    REQUIRE(::fstat(fd.get(), &info) == 0);
    return info.st_ino;
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
