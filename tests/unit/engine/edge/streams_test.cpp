#include "service/streams.hpp"

#include <doctest/doctest.h>

#include "natkit/io/net/host.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace std::chrono_literals;

namespace {

const IpAddress loopback = IpAddress::parse("127.0.0.1").value();
const std::string bye = "BYE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n";

template <class Condition>
bool turn_until(io::Loop& loop, Condition condition) {
    const Instant end = loop.now() + 10s;
    io::Timer tick(loop, [&] { tick.start_in(5ms); });
    tick.start_in(0ms);
    while (!condition() && loop.now() < end) loop.run_once();
    return condition();
}

/// Streams with a listener, and all they tell.
struct Bench {
    explicit Bench(const StreamLimits& limits = {})
        : streams(loop, limits, 100,
                  {.on_message =
                       [this](const sip::Flow& flow, std::string text) {
                           messages.push_back(std::move(text));
                           flows.push_back(flow);
                       },
                   .on_closed = [this](const sip::Flow&, const std::string& why) { closed.push_back(why); },
                   .on_unreachable = [this](const sip::Flow&, const std::string& why) { unreachable.push_back(why); },
                   .needed = [this](const sip::Flow&) { return needed; },
                   .keeps = [this](const sip::Flow&) { return kept; },
                   .in_use = [this] { return ++reckoned, in_use; },
                   .name_of = [](const sip::Flow&) { return std::string(); },
                   .on_problem = [this](const std::string& text) { problems.push_back(text); }}) {
        auto socket = io::open_tcp_listener({loopback, 0});
        REQUIRE(streams.listen(sip::Transport::tcp, std::move(*socket)));
        local = streams.listening().front().listener->local();
    }

    struct Peer {
        std::string heard;
        bool closed = false;
        std::unique_ptr<io::TcpStream> stream;
    };
    /// Somebody who connects.
    Peer& peer() {
        peers.push_back(std::make_unique<Peer>());
        Peer& one = *peers.back();
        one.stream = io::TcpStream::connect(loop, {loopback, 0}, local,
                                            {.on_connected = {},
                                             .on_bytes = [&one](std::string_view bytes) { one.heard += bytes; },
                                             .on_close = [&one](const Error&) { one.closed = true; }})
                         .value();
        return one;
    }

    io::Loop loop;
    std::vector<std::string> messages, closed, unreachable, problems;
    std::vector<sip::Flow> flows;
    bool needed = false;
    bool kept = false;
    std::unordered_set<std::uint64_t> in_use;
    int reckoned = 0;  ///< how often in_use was asked for
    std::vector<std::unique_ptr<Peer>> peers;
    Endpoint local;
    Streams streams;
};

}  // namespace

TEST_CASE("Streams: messages with their flow, answers on it, pings answered") {
    Bench bench;
    auto& peer = bench.peer();
    peer.stream->send(bye + "\r\n\r\n" + bye);
    REQUIRE(turn_until(bench.loop, [&] { return bench.messages.size() == 2 && !peer.heard.empty(); }));
    CHECK(peer.heard == "\r\n");
    CHECK(bench.flows[0] == bench.flows[1]);
    CHECK(bench.flows[0].local == bench.local);
    CHECK(bench.flows[0].connection == 100);
    CHECK(bench.streams.send(bench.flows[0], "answer"));
    CHECK(turn_until(bench.loop, [&] { return peer.heard == "\r\nanswer"; }));
    sip::Flow old = bench.flows[0];
    peer.stream->close();
    CHECK(turn_until(bench.loop, [&] { return bench.closed.size() == 1; }));
    CHECK_FALSE(bench.streams.send(old, "too late"));
    CHECK(bench.streams.size() == 0);
}

TEST_CASE("Streams: a flood of pings is answered once a read") {
    Bench bench;
    auto& peer = bench.peer();
    std::string pings;
    for (int i = 0; i < 500; ++i) pings += "\r\n\r\n";
    peer.stream->send(pings + bye);
    REQUIRE(turn_until(bench.loop, [&] { return bench.messages.size() == 1 && !peer.heard.empty(); }));
    CHECK(bench.streams.counters().pings == 500);
    CHECK(peer.heard.size() <= 20);
}

TEST_CASE("Streams: silent, slow and senseless peers are ended; a registered one may be silent") {
    StreamLimits limits;
    limits.first_message = limits.whole_message = limits.idle = 300ms;
    Bench bench(limits);
    auto& silent = bench.peer();
    auto& pinging = bench.peer();
    auto& slow = bench.peer();
    auto& senseless = bench.peer();
    pinging.stream->send("\r\n\r\n");
    slow.stream->send("BYE sip:a@b SIP/2.0\r\n");
    senseless.stream->send("GET / HTTP/1.1\r\n\r\n");
    CHECK(turn_until(bench.loop, [&] { return senseless.closed; }));
    CHECK(turn_until(bench.loop, [&] { return silent.closed && slow.closed && pinging.closed; }));
    CHECK(bench.streams.size() == 0);
    bench.needed = true;
    auto& registered = bench.peer();
    registered.stream->send(bye);
    io::Timer later(bench.loop, [] {});
    later.start_in(900ms);
    CHECK(turn_until(bench.loop, [&] { return !later.active(); }));
    CHECK_FALSE(registered.closed);
    bench.needed = false;
    CHECK(turn_until(bench.loop, [&] { return registered.closed; }));
}

TEST_CASE("Streams: when there are too many, the one that has been silent for longest makes room") {
    StreamLimits limits;
    SUBCASE("from one source") {
        limits.per_source = 3;
    }
    SUBCASE("in all") {
        limits.connections = 3;
    }
    Bench bench(limits);
    std::vector<Bench::Peer*> peers;
    const auto connect = [&] {
        peers.push_back(&bench.peer());
        peers.back()->stream->send(bye);
        const std::size_t messages = bench.messages.size();
        CHECK(turn_until(bench.loop, [&] { return bench.messages.size() > messages; }));
    };
    for (int n = 0; n < 3; ++n) connect();
    peers[0]->stream->send(bye);  // so that the second has been silent for longest
    CHECK(turn_until(bench.loop, [&] { return bench.messages.size() == 4; }));
    connect();
    CHECK(turn_until(bench.loop, [&] { return peers[1]->closed; }));
    connect();
    CHECK(turn_until(bench.loop, [&] { return peers[2]->closed; }));
    CHECK_FALSE(peers[0]->closed);
    CHECK_FALSE(peers[3]->closed);
    CHECK(bench.streams.size() == 3);
    CHECK(bench.streams.counters().displaced == 2);
    CHECK(bench.streams.counters().refused == 0);
    bench.peers.clear();
    CHECK(turn_until(bench.loop, [&] { return bench.streams.size() == 0; }));
}

TEST_CASE("Streams: a connection in use makes no room, nor one that spoke after the use was reckoned") {
    StreamLimits limits;
    limits.connections = 3;
    Bench bench(limits);
    const auto say = [&](Bench::Peer& peer) {
        const std::size_t messages = bench.messages.size();
        peer.stream->send(bye);
        CHECK(turn_until(bench.loop, [&] { return bench.messages.size() > messages; }));
    };
    Bench::Peer& in_dialog = bench.peer();
    say(in_dialog);
    bench.in_use = {bench.flows.back().connection};
    Bench::Peer& silent = bench.peer();
    say(silent);
    Bench::Peer& mute = bench.peer();  // has never said anything
    CHECK(turn_until(bench.loop, [&] { return bench.streams.size() == 3; }));

    Bench::Peer& late = bench.peer();
    CHECK(turn_until(bench.loop, [&] { return silent.closed; }));
    CHECK(bench.reckoned == 1);
    say(late);  // it may have begun a dialog
    bench.peer();
    CHECK(turn_until(bench.loop, [&] { return mute.closed; }));
    bench.peer();
    bench.peer();
    CHECK(turn_until(bench.loop, [&] { return bench.streams.counters().displaced == 4; }));
    CHECK_FALSE(in_dialog.closed);
    CHECK_FALSE(late.closed);
    CHECK(bench.reckoned == 1);
    bench.peers.clear();
    CHECK(turn_until(bench.loop, [&] { return bench.streams.size() == 0; }));
}

TEST_CASE("Streams: what must stay makes no room; it counts in all, not for its source") {
    StreamLimits limits;
    bool refused = false;
    SUBCASE("from one source") {
        limits.per_source = 3;
    }
    SUBCASE("in all") {
        limits.connections = 3;
        refused = true;
    }
    Bench bench(limits);
    bench.kept = true;
    for (int i = 0; i < 5; ++i) bench.peer().stream->send(bye);
    CHECK(turn_until(bench.loop, [&] { return bench.messages.size() == (refused ? 3 : 5); }));
    if (refused) CHECK(turn_until(bench.loop, [&] { return bench.problems.size() == 2; }));
    CHECK(bench.streams.counters().refused == (refused ? 2 : 0));
    CHECK(bench.streams.counters().displaced == 0);
    bench.kept = false;
    bench.peer().stream->send(bye);
    CHECK(turn_until(bench.loop, [&] { return bench.streams.counters().displaced == 1; }));
    bench.peers.clear();
    CHECK(turn_until(bench.loop, [&] { return bench.streams.size() == 0; }));
}

TEST_CASE("Streams: a connection to a server is made once, made again when it is over, told when it cannot be") {
    Bench bench;
    Bench server;
    const sip::Flow to{
        .transport = sip::Transport::tcp, .local = {loopback, 5060}, .remote = server.local, .connection = 0};
    CHECK(bench.streams.send(to, bye));
    CHECK(bench.streams.send(to, bye));
    const auto both = [&](auto condition) {
        return turn_until(bench.loop, [&] {
            io::Timer round(server.loop, [] {});
            round.start_in(1ms);
            server.loop.run_once();
            return condition();
        });
    };
    CHECK(both([&] { return server.messages.size() == 2; }));
    CHECK(server.streams.size() == 1);
    server.streams.close(server.flows[0].connection, "test");
    CHECK(both([&] { return bench.closed.size() == 1; }));
    CHECK(bench.unreachable.size() == 1);
    CHECK(bench.streams.send(to, bye));
    CHECK(both([&] { return server.messages.size() == 3; }));
    server.streams.stop_listening();
    server.streams.close(server.flows[2].connection, "test");
    CHECK(both([&] { return bench.closed.size() == 2; }));
    bench.streams.send(to, bye);
    CHECK(both([&] { return bench.unreachable.size() == 3; }));
}

TEST_CASE("Streams: a peer that reads nothing is ended before it costs much") {
    Bench bench;
    auto& peer = bench.peer();
    peer.stream->send(bye);
    REQUIRE(turn_until(bench.loop, [&] { return bench.flows.size() == 1; }));
    const std::string answer(60'000, 'x');
    int sent = 0;
    while (sent < 2000 && bench.streams.send(bench.flows[0], answer)) ++sent;
    CHECK(sent < 2000);
    CHECK(bench.closed.size() == 1);
    CHECK(bench.streams.size() == 0);
}
