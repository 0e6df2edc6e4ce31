#include "natkit/redis/connection.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <vector>

#include "natkit/io/net/host.hpp"
#include "natkit/io/net/tcp.hpp"
#include "natkit/redis/session.hpp"

using namespace natkit;
using namespace std::chrono_literals;

namespace {

/// Answers what it is told to, whatever is asked.
struct FakeServer {
    io::Loop& loop;
    std::vector<std::string> answers;
    std::unique_ptr<io::TcpListener> listener;
    std::vector<std::unique_ptr<io::TcpStream>> streams;
    std::string heard;

    FakeServer(io::Loop& on, std::vector<std::string> with) : loop(on), answers(std::move(with)) {
        listener = std::make_unique<io::TcpListener>(
            loop, *io::open_tcp_listener(*Endpoint::parse("127.0.0.1:0", 0)),
            io::TcpListener::Handlers{
                .on_connection = [this](io::Fd socket, const Endpoint&) { accept(std::move(socket)); },
                .on_exhausted = {}});
    }
    void accept(io::Fd socket) {
        const std::size_t at = streams.size();
        streams.push_back(
            std::make_unique<io::TcpStream>(loop, std::move(socket),
                                            io::TcpStream::Handlers{.on_connected = {},
                                                                    .on_bytes =
                                                                        [this, at](std::string_view bytes) {
                                                                            heard += bytes;
                                                                            if (answers.empty()) return;
                                                                            streams[at]->send(answers.front());
                                                                            answers.erase(answers.begin());
                                                                        },
                                                                    .on_close = [](const Error&) {}}));
    }
};

void run_until(io::Loop& loop, const std::function<bool()>& done) {
    const Instant end = loop.now() + 10s;
    while (!done() && loop.now() < end) loop.run_once();
    REQUIRE(done());
}

constexpr std::array<std::string_view, 1> ping = {"PING"};

}  // namespace

TEST_CASE("redis::Connection: answers of every kind, in the order of the questions") {
    io::Loop loop;
    FakeServer server(loop, {"+PONG\r\n:42\r\n$-1\r\n*3\r\n$1\r\na\r\n:7\r\n*1\r\n$2\r\nb\0\r\n", "-ERR no\r\n"});
    bool connected = false;
    std::vector<std::string> told;
    redis::Connection connection(loop, server.listener->local(), 5s,
                                 {.on_connected = [&] { connected = true; }, .on_lost = [](const Error&) {}});
    run_until(loop, [&] { return connected; });
    connection.ask(ping, [&](const redis::Reply& reply) {
        CHECK(reply.text() == "PONG");
        CHECK(reply.size() == 0);
        told.emplace_back("text");
    });
    connection.ask(ping, [&](const redis::Reply& reply) {
        CHECK(reply.number() == 42);
        CHECK_FALSE(reply.text());
        told.emplace_back("number");
    });
    connection.ask(ping, [&](const redis::Reply& reply) {
        CHECK(reply.nil());
        told.emplace_back("nil");
    });
    run_until(loop, [&] { return told.size() == 3; });
    CHECK(told == std::vector<std::string>{"text", "number", "nil"});
    CHECK(connection.waiting() == 0);
}

TEST_CASE("redis::Connection: who does not answer, or listen, is lost after the time-out") {
    io::Loop loop;
    FakeServer server(loop, {});
    std::string why;
    bool answered = false;
    std::unique_ptr<redis::Connection> connection;
    connection = std::make_unique<redis::Connection>(
        loop, server.listener->local(), 50ms,
        redis::Connection::Handlers{
            .on_connected = [&] { connection->ask(ping, [&](const redis::Reply&) { answered = true; }); },
            .on_lost =
                [&](const Error& error) {
                    why = error.message;
                    connection.reset();  // as is allowed
                }});
    run_until(loop, [&] { return !why.empty(); });
    CHECK(why == "no answer in 50ms");
    CHECK_FALSE(answered);
}

TEST_CASE("redis::Connection: refused, closed, and garbage are told at once") {
    io::Loop loop;
    const Endpoint nobody = FakeServer(loop, {}).listener->local();
    std::string why;
    redis::Connection refused(loop, nobody, 60s,
                              {.on_connected = {}, .on_lost = [&](const Error& error) { why = error.message; }});
    run_until(loop, [&] { return !why.empty(); });
    CHECK(why == "connection refused");

    FakeServer server(loop, {"HTTP/1.1 400 Bad Request\r\n\r\n"});
    why.clear();
    std::unique_ptr<redis::Connection> garbage;
    garbage = std::make_unique<redis::Connection>(
        loop, server.listener->local(), 60s,
        redis::Connection::Handlers{.on_connected = [&] { garbage->ask(ping, [](const redis::Reply&) {}); },
                                    .on_lost = [&](const Error& error) { why = error.message; }});
    run_until(loop, [&] { return !why.empty(); });
    CHECK(why.find("protocol error") != std::string::npos);

    FakeServer closes(loop, {});
    why.clear();
    redis::Connection closed(loop, closes.listener->local(), 60s,
                             {.on_connected = {}, .on_lost = [&](const Error& error) { why = error.message; }});
    run_until(loop, [&] { return !closes.streams.empty(); });
    closes.streams.clear();
    run_until(loop, [&] { return !why.empty(); });
    CHECK(why == "server closed the connection");
}

TEST_CASE("redis::Connection: may be destroyed in an answer, with questions open") {
    io::Loop loop;
    FakeServer server(loop, {"+PONG\r\n+PONG\r\n"});
    int answers = 0;
    std::unique_ptr<redis::Connection> connection;
    connection = std::make_unique<redis::Connection>(
        loop, server.listener->local(), 5s,
        redis::Connection::Handlers{.on_connected =
                                        [&] {
                                            for (int i = 0; i < 3; ++i) {
                                                connection->ask(ping, [&](const redis::Reply&) {
                                                    ++answers;
                                                    connection.reset();
                                                });
                                            }
                                        },
                                    .on_lost = [](const Error&) { FAIL("lost"); }});
    run_until(loop, [&] { return answers > 0; });
    for (int i = 0; i < 3; ++i) {
        (void)loop.post([] {});
        loop.run_once();
    }
    CHECK(answers == 1);
}

TEST_CASE("redis::Session: logs in, and comes again after a loss") {
    io::Loop loop;
    FakeServer server(loop, {"+OK\r\n", "+OK\r\n", "$31\r\n# Server\r\nrun_id:abc123\r\nx:12\r\n\r\n", "+PONG\r\n"});
    io::Dns dns(loop);
    std::string run;
    int lost = 0;
    redis::Session session(
        loop, dns,
        {.host = "127.0.0.1",
         .port = server.listener->local().port,
         .database = 3,
         .user = "natkit",
         .password = [] { return std::string("secret"); },
         .timeout = 5s},
        {.on_ready = [&](const std::string& id) { run = id; }, .on_lost = [&](const std::string&) { ++lost; }});
    run_until(loop, [&] { return !run.empty(); });
    CHECK(run == "abc123");
    CHECK(server.heard.find("AUTH\r\n$6\r\nnatkit\r\n$6\r\nsecret") != std::string::npos);
    CHECK(server.heard.find("SELECT\r\n$1\r\n3") != std::string::npos);
    server.answers = {"-WRONGPASS no\r\n"};
    server.streams[0].reset();
    run_until(loop, [&] { return lost == 2; });
    CHECK_FALSE(session.ready());
}

TEST_CASE("redis::explain: what can be done about it") {
    CHECK(redis::explain("WRONGPASS invalid") ==
          "wrong user or password ([cluster] user, password_file): WRONGPASS invalid");
    CHECK(redis::explain("OOM command not allowed").starts_with("its memory is full"));
    CHECK(redis::explain("ERR odd\x01") == "ERR odd\\x01");
    CHECK(redis::is_of_connection("LOADING x"));
    CHECK_FALSE(redis::is_of_connection("OOM x"));
}
