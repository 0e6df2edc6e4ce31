#include "natkit/io/net/tcp.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "natkit/io/net/host.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;
using namespace natkit::io;
using namespace std::chrono_literals;

namespace {

const IpAddress loopback = IpAddress::parse("127.0.0.1").value();

/// Turns the loop until the condition holds; five seconds at most.
template <class Condition>
bool turn_until(Loop& loop, Condition condition) {
    const Instant end = loop.now() + 5s;
    Timer tick(loop, [&] { tick.start_in(5ms); });
    tick.start_in(0ms);
    while (!condition() && loop.now() < end) loop.run_once();
    return condition();
}

/// A listener that keeps what it accepts and hears.
struct Server {
    explicit Server(Loop& on)
        : loop(on),
          listener(on, open_tcp_listener({loopback, 0}).value(),
                   {.on_connection =
                        [this](Fd socket, const Endpoint& remote) {
                            remotes.push_back(remote);
                            streams.push_back(std::make_unique<TcpStream>(
                                loop, std::move(socket),
                                TcpStream::Handlers{.on_connected = {},
                                                    .on_bytes = [this](std::string_view bytes) { heard += bytes; },
                                                    .on_close = [this](const Error&) { ++closed; }}));
                        },
                    .on_exhausted = [this] { ++exhausted; }}) {}

    Loop& loop;
    std::vector<std::unique_ptr<TcpStream>> streams;
    std::vector<Endpoint> remotes;
    std::string heard;
    int closed = 0;
    int exhausted = 0;
    TcpListener listener;
};

struct Client {
    std::string heard;
    int connected = 0;
    std::string why;
    std::unique_ptr<TcpStream> stream;

    void connect(Loop& loop, const Endpoint& remote) {
        stream = TcpStream::connect(loop, {loopback, 0}, remote,
                                    {.on_connected = [this] { ++connected; },
                                     .on_bytes = [this](std::string_view bytes) { heard += bytes; },
                                     .on_close = [this](const Error& error) { why = error.message; }})
                     .value();
    }
};

}  // namespace

TEST_CASE("TcpStream: bytes both ways, also those sent before the connection stands") {
    Loop loop;
    Server server(loop);
    Client client;
    client.connect(loop, server.listener.local());
    CHECK(client.stream->send("hello"));
    CHECK(turn_until(loop, [&] { return server.heard == "hello"; }));
    CHECK(client.connected == 1);
    CHECK(server.streams.front()->send("world"));
    CHECK(turn_until(loop, [&] { return client.heard == "world"; }));
    server.streams.clear();
    CHECK(turn_until(loop, [&] { return !client.why.empty(); }));
    CHECK_FALSE(client.stream->send("more"));
}

TEST_CASE("TcpStream: nobody listens") {
    Loop loop;
    Endpoint gone;
    {
        const Server server(loop);
        gone = server.listener.local();
    }
    Client client;
    client.connect(loop, gone);
    CHECK(turn_until(loop, [&] { return !client.why.empty(); }));
    CHECK(client.connected == 0);
}

TEST_CASE("TcpStream: what the other end does not read is bounded, and arrives whole once it does") {
    Loop loop;
    Server server(loop);
    Client client;
    client.connect(loop, server.listener.local());
    REQUIRE(turn_until(loop, [&] { return server.streams.size() == 1; }));
    // The client's loop does not turn meanwhile: the system's buffers fill first, then ours.
    std::size_t taken = 0;
    const std::string piece(8192, 'x');
    while (taken < (std::size_t{64} << 20) && server.streams.front()->send(piece)) taken += piece.size();
    CHECK(taken < (std::size_t{64} << 20));
    CHECK(server.streams.front()->queued() <= TcpStream::max_queued);
    CHECK(turn_until(loop, [&] { return client.heard.size() == taken; }));
    CHECK(server.streams.front()->queued() == 0);
}

TEST_CASE("TcpListener: out of descriptors, waiting connections are closed and the loop comes to rest") {
    Loop loop;
    Server server(loop);
    std::vector<Client> clients(8);
    for (Client& client : clients) client.connect(loop, server.listener.local());
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    std::vector<Fd> hoard;  // all descriptors but the listener's spare
    const rlimit tight{.rlim_cur = 256, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    for (;;) {
        auto copy = server.listener.fd().duplicate();
        if (!copy) break;
        hoard.push_back(std::move(*copy));
    }
    CHECK(turn_until(loop, [&] { return server.exhausted == 8; }));
    CHECK(turn_until(
        loop, [&] { return std::ranges::all_of(clients, [](const Client& client) { return !client.why.empty(); }); }));
    hoard.clear();
    ::setrlimit(RLIMIT_NOFILE, &before);
    Client late;
    late.connect(loop, server.listener.local());
    CHECK(turn_until(loop, [&] { return server.streams.size() == 1; }));
}

TEST_CASE("TcpListener: no second listener beside it") {
    Loop loop;
    const Server server(loop);
    CHECK_FALSE(open_tcp_listener(server.listener.local()).has_value());
}
