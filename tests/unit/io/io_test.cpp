#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "natkit/io/lines.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/udp.hpp"
#include "run_until.hpp"

using namespace natkit;
using namespace natkit::io;
using namespace std::chrono_literals;

namespace {

struct TempDir {
    std::filesystem::path path;
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-io-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~TempDir() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file(const char* name) const { return (path / name).string(); }
};

Endpoint loopback(const char* text) {
    return Endpoint::parse(text).value();
}

int option_of(const Fd& fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    ::getsockopt(fd.get(), level, name, &value, &length);
    return value;
}

}  // namespace

TEST_CASE("io::Timer: fires once, not early, and may destroy itself") {
    Loop loop;
    const Instant start = loop.now();
    Instant fired{};
    int count = 0;
    auto timer = std::make_unique<Timer>(loop, [&] {});
    timer = std::make_unique<Timer>(loop, [&] {
        fired = loop.now();
        ++count;
        timer.reset();
    });
    timer->start_at(start + 15ms);
    CHECK(run_until(loop, [&] { return count > 0; }));
    CHECK(fired - start >= 15ms);
    CHECK(count == 1);
}

TEST_CASE("io::Timer: a loop that is busy makes none early") {
    Loop loop;
    int count = 0;
    const std::function<void()> busy = [&] { (void)loop.post(busy); };
    busy();
    std::vector<std::unique_ptr<Timer>> timers;
    for (int i = 0; i < 100; ++i) {
        const Instant due = loop.now() + 5ms + i * 37us;
        timers.push_back(std::make_unique<Timer>(loop, [&loop, &count, due] {
            CHECK(loop.now() >= due);
            ++count;
        }));
        timers.back()->start_at(due);
    }
    CHECK(run_until(loop, [&] { return count == 100; }));
}

TEST_CASE("io::Loop: tasks posted by another thread run in order on the loop's own") {
    Loop loop;
    std::vector<int> seen;
    std::thread other([&] {
        for (int i = 0; i < 1000; ++i) REQUIRE(loop.post([&seen, i] { seen.push_back(i); }));
        REQUIRE(loop.post([&] { loop.stop(); }));
    });
    loop.run();
    other.join();
    REQUIRE(seen.size() == 1000);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("io::open_udp: the port is ours alone, and options hold") {
    for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
        CAPTURE(text);
        auto first = open_udp(loopback(text), {.tos = 184});
        REQUIRE(first.has_value());
        const Endpoint local = local_endpoint(*first).value();
        CHECK(local.port != 0);
        CHECK(option_of(*first, SOL_SOCKET, SO_REUSEADDR) == 0);
        CHECK(option_of(*first, SOL_SOCKET, SO_REUSEPORT) == 0);
        const bool v4 = local.address.is_v4();
        CHECK(option_of(*first, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS) == 184);
        const auto second = open_udp(local);
        REQUIRE_FALSE(second.has_value());
        CHECK(second.error().code == Errc::refused);
        CHECK(open_udp(loopback(v4 ? "192.0.2.1:4000" : "[2001:db8:ffff::1]:4000")).error().code == Errc::not_found);
        CHECK(second.error().message.find(to_string(local)) != std::string::npos);
        CHECK((::fcntl(first->get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
}

TEST_CASE("io::open_connected_twin: hears its remote, the first socket everybody else, and the port stays ours") {
    for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
        CAPTURE(text);
        Loop loop;
        int to_first = 0;
        int to_twin = 0;
        UdpSocket first(loop, open_udp(loopback(text)).value(), [&](const Datagram&) { ++to_first; });
        UdpSocket remote(loop, open_udp(loopback(text)).value(), [](const Datagram&) {});
        UdpSocket stranger(loop, open_udp(loopback(text)).value(), [](const Datagram&) {});
        auto made = open_connected_twin(first.fd(), remote.local(), {.tos = 184});
        REQUIRE(made.has_value());
        CHECK(option_of(*made, SOL_SOCKET, SO_REUSEPORT) == 0);
        CHECK(option_of(first.fd(), SOL_SOCKET, SO_REUSEPORT) == 0);
        CHECK(tos_of(*made, first.local().address.family()) == 184);
        auto twin = std::make_unique<UdpSocket>(loop, std::move(*made), [&](const Datagram&) { ++to_twin; });
        CHECK_FALSE(open_udp(first.local()).has_value());
        for (int i = 0; i < 5; ++i) {
            CHECK(remote.send(first.local(), "x").status == SendStatus::sent);
            CHECK(stranger.send(first.local(), "x").status == SendStatus::sent);
        }
        REQUIRE(run_until(loop, [&] { return to_first + to_twin == 10; }));
        CHECK(to_first == 5);
        CHECK(to_twin == 5);
        twin.reset();
        CHECK(remote.send(first.local(), "x").status == SendStatus::sent);
        REQUIRE(run_until(loop, [&] { return to_first == 6; }));
    }
}

TEST_CASE("io::UdpSocket: datagrams arrive whole with source, destination and interface") {
    for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
        CAPTURE(text);
        Loop loop;
        std::vector<std::string> got;
        Endpoint source;
        IpAddress destination;
        std::uint32_t interface_index = 0;
        UdpSocket receiver(loop, open_udp(loopback(text)).value(), [&](const Datagram& datagram) {
            got.emplace_back(reinterpret_cast<const char*>(datagram.bytes.data()), datagram.bytes.size());
            source = datagram.source;
            destination = datagram.destination;
            interface_index = datagram.interface_index;
        });
        UdpSocket sender(loop, open_udp(loopback(text)).value(), [](const Datagram&) {});
        const std::string large(40000, 'x');
        for (int i = 0; i < 40; ++i) CHECK(sender.send(receiver.local(), std::to_string(i)).status == SendStatus::sent);
        CHECK(sender.send(receiver.local(), "").status == SendStatus::sent);
        CHECK(sender.send(receiver.local(), large).status == SendStatus::sent);
        REQUIRE(run_until(loop, [&] { return got.size() == 42; }));
        CHECK(got[39] == "39");
        CHECK(got[40].empty());
        CHECK(got[41] == large);
        CHECK(source == sender.local());
        CHECK(destination == receiver.local().address);
        CHECK(interface_index != 0);
    }
}

TEST_CASE("io::UdpSocket: an ICMP error to a connected socket does not make it deaf") {
    Loop loop;
    int got = 0;
    const UdpSocket first(loop, open_udp(loopback("127.0.0.1:0")).value(), [](const Datagram&) {});
    const Endpoint there = local_endpoint(open_udp(loopback("127.0.0.1:0")).value()).value();  // closed again
    UdpSocket twin(loop, open_connected_twin(first.fd(), there, {}).value(), [&](const Datagram&) { ++got; });
    CHECK(twin.send(std::span(reinterpret_cast<const std::uint8_t*>("x"), 1)).status ==
          SendStatus::sent);  // nobody is there: port unreachable
    for (int round = 0; round < 3; ++round) {
        Timer soon(loop, [] {});
        soon.start_in(5ms);
        loop.run_once();
    }
    UdpSocket remote(loop, open_udp(there).value(), [](const Datagram&) {});
    CHECK(remote.send(first.local(), "x").status == SendStatus::sent);
    CHECK(run_until(loop, [&] { return got == 1; }));
}

TEST_CASE("io::UdpSocket: the callback may destroy the socket in the middle of a batch") {
    Loop loop;
    int count = 0;
    std::unique_ptr<UdpSocket> receiver;
    receiver = std::make_unique<UdpSocket>(loop, open_udp(loopback("127.0.0.1:0")).value(), [&](const Datagram&) {
        ++count;
        receiver.reset();
    });
    UdpSocket sender(loop, open_udp(loopback("127.0.0.1:0")).value(), [](const Datagram&) {});
    const Endpoint to = receiver->local();
    for (int i = 0; i < 5; ++i) sender.send(to, "x");
    CHECK(run_until(loop, [&] { return count > 0; }));
    CHECK(count == 1);
    CHECK(sender.send(to, "gone").status == SendStatus::sent);
}

TEST_CASE("io::LineServer: mode 0600, a stale socket is replaced, a live one is not") {
    Loop loop;
    const TempDir dir;
    const std::string path = dir.file("x.sock");
    auto first = LineServer::listen(loop, path, [](Fd) {});
    REQUIRE(first.has_value());
    struct stat info{};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    const auto second = LineServer::listen(loop, path, [](Fd) {});
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == Errc::refused);
    first->reset();
    CHECK(::access(path.c_str(), F_OK) != 0);

    {  // what a killed process leaves: a socket file without a listener
        auto kept = LineServer::listen(loop, path, [](Fd) {});
        std::filesystem::rename(path, dir.file("kept"));
        kept->reset();
        std::filesystem::rename(dir.file("kept"), path);
    }
    CHECK(LineServer::listen(loop, path, [](Fd) {}).has_value());
    const auto too_long = LineServer::listen(loop, dir.file(std::string(120, 'a').c_str()), [](Fd) {});
    CHECK(too_long.error().code == Errc::bad_config);
}

namespace {

struct Pair {
    Loop loop;
    std::vector<std::string> left_lines;
    std::vector<std::string> right_lines;
    std::string left_closed;
    std::string right_closed;
    std::unique_ptr<LineConnection> left;
    std::unique_ptr<LineConnection> right;
    Fd raw;

    explicit Pair(bool raw_left = false) {
        std::array<int, 2> fds{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
        if (raw_left) {
            raw = Fd(fds[0]);
        } else {
            left = std::make_unique<LineConnection>(
                loop, Fd(fds[0]),
                LineConnection::Handlers{[this](std::string_view l) { left_lines.emplace_back(l); },
                                         [this](const Error& e) { left_closed = e.message; }});
        }
        right = std::make_unique<LineConnection>(
            loop, Fd(fds[1]),
            LineConnection::Handlers{[this](std::string_view l) { right_lines.emplace_back(l); },
                                     [this](const Error& e) { right_closed = e.message; }});
    }
};

}  // namespace

TEST_CASE("io::LineConnection: lines of every size, in order, both ways") {
    Pair pair;
    std::string large(max_line, 'y');
    CHECK(pair.left->send("a"));
    CHECK(pair.left->send(""));
    CHECK(pair.left->send(large));
    CHECK(pair.left->send("z"));
    CHECK(pair.right->send("back"));
    REQUIRE(run_until(pair.loop, [&] { return pair.right_lines.size() == 4 && pair.left_lines.size() == 1; }));
    CHECK(pair.right_lines == std::vector<std::string>{"a", "", large, "z"});
    CHECK(pair.left->queued() == 0);
    pair.left.reset();
    CHECK(run_until(pair.loop, [&] { return !pair.right_closed.empty(); }));
    CHECK_FALSE(pair.right->send("nobody"));
}

TEST_CASE("io::LineConnection: what is gathered, or answers lines that came together, leaves with one write") {
    Loop loop;
    std::array<int, 2> fds{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
    const Fd raw(fds[0]);  // a message is what one write wrote
    const auto came = [&] {
        std::array<char, 4096> bytes{};
        const ssize_t got = ::read(raw.get(), bytes.data(), bytes.size());
        return std::string(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    };
    std::unique_ptr<LineConnection> lines;
    int told = 0;
    lines =
        std::make_unique<LineConnection>(loop, Fd(fds[1]),
                                         LineConnection::Handlers{[&](std::string_view line) {
                                                                      ++told;
                                                                      CHECK(lines->send("re: " + std::string(line)));
                                                                      if (line == "end") lines.reset();
                                                                  },
                                                                  [](const Error&) {}});
    CHECK(lines->send("at once"));
    CHECK(came() == "at once\n");
    lines->gather();
    CHECK(lines->send("a"));
    CHECK(lines->send("b"));
    CHECK(came().empty());
    lines->flush();
    CHECK(came() == "a\nb\n");
    CHECK(lines->send("c"));
    CHECK(came() == "c\n");
    CHECK(lines->send_later("d"));
    CHECK(came().empty());
    CHECK(lines->send("e"));
    CHECK(came() == "d\ne\n");
    CHECK(lines->send_later("f"));
    std::string late;
    REQUIRE(run_until(loop, [&] { return !(late += came()).empty(); }));
    CHECK(late == "f\n");
    REQUIRE(::write(raw.get(), "x\ny\n", 4) == 4);
    REQUIRE(run_until(loop, [&] { return told == 2; }));
    CHECK(came() == "re: x\nre: y\n");
    REQUIRE(::write(raw.get(), "z\nend\n", 6) == 6);
    REQUIRE(run_until(loop, [&] { return told == 4; }));
    CHECK(came() == "re: z\nre: end\n");
}

TEST_CASE("io::LineConnection: bounds close the connection instead of growing") {
    {
        Pair pair(true);
        const std::string chunk(65536, 'x');
        while (pair.right_closed.empty()) {
            (void)!::write(pair.raw.get(), chunk.data(), chunk.size());
            pair.loop.run_once();
        }
        CHECK(pair.right_closed == "a line of more than 1 MiB");
    }
    {
        Pair pair(true);  // a reader that never reads
        const std::string line(100000, 'x');
        int sent = 0;
        while (pair.right->send(line) && sent < 1000) ++sent;
        CHECK(sent < 200);
        CHECK(pair.right->queued() <= max_queued + line.size() + 1);
    }
}

TEST_CASE("io::LineConnection: descriptors travel with their line") {
    Pair pair;
    const Fd a = open_udp(loopback("127.0.0.1:0")).value();
    std::vector<Fd> two;
    two.push_back(a.duplicate().value());
    two.push_back(open_udp(loopback("127.0.0.1:0")).value());
    const Endpoint first = local_endpoint(two[0]).value();
    const Endpoint second = local_endpoint(two[1]).value();
    CHECK(pair.left->send("plain"));
    CHECK(pair.left->send("with", two));
    CHECK(pair.left->send("after"));
    two.clear();
    REQUIRE(run_until(pair.loop, [&] { return pair.right_lines.size() == 3; }));
    CHECK_FALSE(pair.right->take_descriptors(3).has_value());
    const auto taken = pair.right->take_descriptors(2);
    REQUIRE(taken.has_value());
    CHECK(local_endpoint((*taken)[0]).value() == first);
    CHECK(local_endpoint((*taken)[1]).value() == second);
    CHECK((::fcntl((*taken)[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("io::LineClient: finds a server that comes late, and again after it went") {
    Loop loop;
    const TempDir dir;
    const std::string path = dir.file("late.sock");
    int connected = 0;
    int lost = 0;
    std::vector<std::string> lines;
    LineClient client(loop, path,
                      {.on_connected = [&] { ++connected; },
                       .on_line = [&](std::string_view line) { lines.emplace_back(line); },
                       .on_lost = [&](const Error&) { ++lost; }});
    REQUIRE(run_until(loop, [&] { return lost >= 2; }));
    std::unique_ptr<LineConnection> peer;
    const auto serve = [&] {
        return LineServer::listen(loop, path,
                                  [&](Fd socket) {
                                      peer = std::make_unique<LineConnection>(
                                          loop, std::move(socket),
                                          LineConnection::Handlers{[&](std::string_view line) { peer->send(line); },
                                                                   [](const Error&) {}});
                                  })
            .value();
    };
    auto server = serve();
    REQUIRE(run_until(loop, [&] { return connected == 1; }));
    CHECK(client.send("hello"));
    REQUIRE(run_until(loop, [&] { return lines.size() == 1; }));
    server.reset();
    peer.reset();
    REQUIRE(run_until(loop, [&] { return !client.connected(); }));
    server = serve();
    REQUIRE(run_until(loop, [&] { return connected == 2; }));
}

TEST_CASE("io::raise_descriptor_limit: the soft limit becomes the hard one") {
    const auto limit = raise_descriptor_limit();
    REQUIRE(limit.has_value());
    CHECK(*limit >= 256);
}
