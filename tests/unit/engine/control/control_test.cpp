#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "../../io/run_until.hpp"
#include "natkit/base/text.hpp"
#include "natkit/engine/control/client.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/net/udp.hpp"
#include "natkit/record/json_text.hpp"

using namespace natkit;
using namespace natkit::control;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    io::Loop loop;
    std::string dir;
    std::string path;
    std::unique_ptr<Server> server;
    int runs = 0;
    std::vector<Reply> held;

    Fixture() {
        dir = (std::filesystem::temp_directory_path() / "natkit-ctl-XXXXXX").string();
        REQUIRE(::mkdtemp(dir.data()) != nullptr);
        path = dir + "/w.sock";
        start();
    }
    ~Fixture() {
        server.reset();
        std::filesystem::remove_all(dir);
    }
    void start() {
        auto made = Server::listen(loop, path);
        REQUIRE(made.has_value());
        server = std::move(*made);
        server->on("echo", [this](const Json& request, std::vector<io::Fd>, const Reply& reply) {
            ++runs;
            reply.ok({{"text", request.at("text")}, {"run", runs}});
        });
        server->on("hold", [this](const Json&, std::vector<io::Fd>, const Reply& reply) { held.push_back(reply); });
        server->on("drop", [](const Json&, std::vector<io::Fd>, const Reply&) {});
        server->on("fail", [](const Json&, std::vector<io::Fd>, const Reply& reply) {
            reply.error({Errc::exhausted, "ports", "all in use"});
        });
        server->on("sockets", [](const Json&, std::vector<io::Fd> fds, const Reply& reply) {
            const std::size_t count = fds.size();
            reply.ok({{"got", count}}, std::move(fds));
        });
        server->on_view("quick", [this](const record::ObjectView& request, const Reply& reply) {
            ++runs;
            if (!request.contains("text")) return reply.error({Errc::bad_input, "text", "missing"});
            record::ObjectText answer;
            answer.raw("text", request.find("text")->text());
            reply.ok_text(answer.close());
        });
        server->set_snapshot([](const auto& send) {
            send(Json{{"type", "client"}, {"n", 1}});
            send(Json{{"type", "client"}, {"n", 2}});
        });
    }
};

/// A client of the plainest kind, to see the bytes.
struct RawClient {
    std::vector<std::string> lines;
    std::unique_ptr<io::LineConnection> connection;
    bool closed = false;
    RawClient(io::Loop& loop, const std::string& path) {
        connection = std::make_unique<io::LineConnection>(
            loop, io::connect_unix(path).value(),
            io::LineConnection::Handlers{[this](std::string_view l) { lines.emplace_back(l); },
                                         [this](const Error&) { closed = true; }});
    }
};

}  // namespace

TEST_CASE("control::Server: replies byte for byte") {
    Fixture f;
    RawClient raw(f.loop, f.path);
    struct Case {
        const char* why;
        std::string request;
        std::string reply;
    };
    const Case cases[] = {
        {"a plain request", R"({"id":"a-1","cmd":"echo","text":"hi"})", R"({"id":"a-1","ok":{"text":"hi","run":1}})"},
        {"the same id again: not run again", R"({"id":"a-1","cmd":"echo","text":"other"})",
         R"({"id":"a-1","ok":{"text":"hi","run":1}})"},
        {"without an id", R"({"cmd":"echo","text":"x"})", R"({"ok":{"text":"x","run":2}})"},
        {"an error with its place", R"({"id":"a-2","cmd":"fail"})",
         R"({"id":"a-2","error":{"code":"exhausted","where":"ports","message":"all in use"}})"},
        {"not JSON", "hello", R"({"error":{"code":"bad-input","message":"not a JSON object: 'hello'"}})"},
        {"read without a tree", R"({"id":"a \u00e9\"", "cmd":"quick", "text":"x", "text": [1, {"a":null}]})",
         "{\"id\":\"a \xc3\xa9\\\"\",\"ok\":{\"text\":[1,{\"a\":null}]}}"},
        {"read without a tree, briefly", R"({"id":"a-b","cmd":"quick","text":"x","brief":true})",
         R"({"id":"a-b","ok":{}})"},
        {"without a tree, and wrong", R"({"cmd":"quick"})",
         R"({"error":{"code":"bad-input","where":"text","message":"missing"}})"},
        {"no command", R"({"id":"a-3"})",
         R"({"id":"a-3","error":{"code":"bad-input","message":"cmd is missing or not a string"}})"},
        {"an unknown command", R"({"id":"a-4","cmd":"fly"})",
         R"({"id":"a-4","error":{"code":"usage","where":"cmd","message":"unknown command 'fly'"}})"},
        {"descriptors that did not come", R"({"id":"a-5","cmd":"sockets","fds":2})",
         R"({"id":"a-5","error":{"code":"bad-input","message":"the line names 2 descriptors, 0 came"}})"},
        {"a handler that forgets to answer", R"({"id":"a-6","cmd":"drop"})",
         R"({"id":"a-6","error":{"code":"system","message":"the command ended without an answer"}})"},
        {"nested deeper than any request", std::string(100, '['),
         R"({"error":{"code":"bad-input","message":"nested too deep"}})"},
        {"bytes that are not UTF-8", "{\"cmd\":\"\xff\"}",
         R"({"error":{"code":"bad-input","message":"not a JSON object: '{\"cmd\":\"\\xff\"}'"}})"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        raw.lines.clear();
        REQUIRE(raw.connection->send(c.request));
        REQUIRE(run_until(f.loop, [&] { return !raw.lines.empty(); }));
        CHECK(text::lower(raw.lines[0]) == text::lower(c.reply));
    }
    CHECK(f.runs == 5);
}

TEST_CASE(
    "control::Server: what commands that came together did is made safe at once, before any of them is answered") {
    Fixture f;
    const io::Fd client = io::connect_unix(f.path).value();
    std::array<char, 4096> bytes{};
    const auto peek = [&] { return ::recv(client.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT); };
    std::vector<int> runs;
    f.server->set_before_answers([&] {
        runs.push_back(f.runs);
        CHECK(peek() < 0);
    });
    const auto say = [&](const std::string& text) {
        REQUIRE(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
        REQUIRE(run_until(f.loop, [&] { return peek() > 0; }));
        const ssize_t got = ::recv(client.get(), bytes.data(), bytes.size(), 0);
        return std::string(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    };
    const std::string two = say("{\"cmd\":\"echo\",\"text\":\"a\"}\n{\"cmd\":\"echo\",\"text\":\"b\"}\n");
    CHECK(two == "{\"ok\":{\"text\":\"a\",\"run\":1}}\n{\"ok\":{\"text\":\"b\",\"run\":2}}\n");
    CHECK(runs == std::vector{2});
    CHECK(say("{\"cmd\":\"echo\",\"text\":\"c\"}\n") == "{\"ok\":{\"text\":\"c\",\"run\":3}}\n");
    CHECK(runs == std::vector{2, 3});
}

TEST_CASE_FIXTURE(Fixture, "control::Server: every server tells the last lines of its program's log") {
    REQUIRE(log::configure({.target = "/dev/null", .program = "test"}));
    const log::Logger log("TEST", log::Level::major);
    log.major("one\nline");
    log.low_level("not logged");
    const auto before = log::recent(0).back();
    CHECK(before.text == "one\\x0aline");
    log.failures("another");
    Client client(loop, path, random_prefix());
    Json told;
    client.request("log", {{"after", before.number}},
                   [&](const Result<Json>& reply) { told = reply.value_or(Json()); });
    REQUIRE(run_until(loop, [&] { return !told.is_null(); }));
    REQUIRE(told["lines"].size() == 1);
    CHECK(told["lines"][0]["text"] == "another");
    CHECK(told["lines"][0]["level"] == "failures");
    CHECK(told["lines"][0]["tag"] == "TEST");
    CHECK(told["last"] == before.number + 1);
    // A number of a process before this one: all that there is.
    CHECK(log::recent(before.number + 1000).size() == log::recent(0).size());
    for (int i = 0; i < 600; ++i) log.major("line " + std::to_string(i));
    CHECK(log::recent(0).size() == 500);
    CHECK(log::recent(0).back().text == "line 599");
    REQUIRE(log::configure({}));
}

TEST_CASE("control::Server: a missing parameter is an error reply, not a crash") {
    Fixture f;
    RawClient raw(f.loop, f.path);
    REQUIRE(raw.connection->send(R"({"id":"b-1","cmd":"echo"})"));
    REQUIRE(run_until(f.loop, [&] { return !raw.lines.empty(); }));
    CHECK(Json::parse(raw.lines[0])["error"]["code"] == "bad-input");
}

TEST_CASE("control::Server: a request repeated before its answer is answered once to each who asked") {
    Fixture f;
    RawClient first(f.loop, f.path);
    RawClient second(f.loop, f.path);
    const char* request = R"({"id":"c-1","cmd":"hold"})";
    REQUIRE(first.connection->send(request));
    REQUIRE(run_until(f.loop, [&] { return f.held.size() == 1; }));
    REQUIRE(first.connection->send(request));
    REQUIRE(second.connection->send(request));
    REQUIRE(second.connection->send(R"({"cmd":"echo","text":1})"));
    REQUIRE(run_until(f.loop, [&] { return second.lines.size() == 1; }));
    REQUIRE(f.held.size() == 1);
    f.held[0].ok({{"late", true}});
    f.held[0].ok({{"late", "twice"}});
    REQUIRE(run_until(f.loop, [&] { return !first.lines.empty() && second.lines.size() == 2; }));
    CHECK(first.lines == std::vector<std::string>{R"({"id":"c-1","ok":{"late":true}})"});
    CHECK(second.lines[1] == first.lines[0]);
}

TEST_CASE("control::Server: a repeated id gets the same reply, a plain ok too, and the command is not run again") {
    Fixture f;
    RawClient raw(f.loop, f.path);
    const std::string request = R"({"id":"d-1","cmd":"echo","text":1)";
    for (const char* rest : {"}", "}", R"(,"brief":true})"}) REQUIRE(raw.connection->send(request + rest));
    for (int i = 0; i < 3; ++i)
        REQUIRE(raw.connection->send(R"({"id":"\u00e9 2","cmd":"echo","text":1,"brief":true})"));
    REQUIRE(run_until(f.loop, [&] { return raw.lines.size() == 6; }));
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(raw.lines[i] == R"({"id":"d-1","ok":{"text":1,"run":1}})");
        CHECK(raw.lines[3 + i] == raw.lines[3]);
    }
    CHECK(raw.lines[3].ends_with(R"("ok":{}})"));
    CHECK(f.runs == 2);
}

TEST_CASE("control: a watcher gets the snapshot, its end, then changes") {
    Fixture f;
    Client client(f.loop, f.path, "watch");
    std::vector<std::string> seen;
    client.watch([&](const Json& record) { seen.push_back(record.dump()); });
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 3; }));
    CHECK(f.server->watched());
    f.server->publish({{"type", "client"}, {"id", "a record may have one"}, {"n", 3}});
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 4; }));
    CHECK(seen == std::vector<std::string>{R"({"type":"client","n":1})", R"({"type":"client","n":2})",
                                           R"({"type":"snapshot-end"})",
                                           R"({"type":"client","id":"a record may have one","n":3})"});

    f.server.reset();
    f.start();
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 7; }));  // resynchronised after the restart
}

TEST_CASE("control: a watcher gets the types it names, a brief request a plain ok") {
    Fixture f;
    Client client(f.loop, f.path, "types");
    std::vector<std::string> seen;
    client.watch([&](const Json& record) { seen.push_back(record.dump()); }, {"call"});
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 1; }));  // no client records in the snapshot
    CHECK(f.server->watched("call"));
    CHECK_FALSE(f.server->watched("client"));
    f.server->publish({{"type", "client"}, {"n", 1}});
    f.server->publish({{"type", "call"}, {"n", 2}});
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 2; }));
    CHECK(seen[1] == R"({"type":"call","n":2})");
    client.request("echo", {{"text", "x"}, {"brief", true}},
                   [&](Result<Json> reply) { seen.push_back(reply->dump()); });
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 3; }));
    CHECK(seen[2] == "{}");
}

TEST_CASE("control: replicas are told to those only that name them") {
    Fixture f;
    Client all(f.loop, f.path, "all");
    Client by_name(f.loop, f.path, "by-name");
    std::vector<std::string> seen;
    bool watching = false;
    all.watch([&](const Json& record) {
        watching = watching || record["type"] == "snapshot-end";
        if (watching) seen.push_back("all: " + record["type"].get<std::string>());
    });
    REQUIRE(run_until(f.loop, [&] { return watching; }));
    CHECK_FALSE(f.server->watched("replica"));
    f.server->set_snapshot([&](const auto&) { seen.emplace_back("nobody asked for it"); });
    by_name.watch([&](const Json& record) { seen.push_back("by name: " + record["type"].get<std::string>()); },
                  {"replica"});
    REQUIRE(run_until(f.loop, [&] { return f.server->watched("replica"); }));
    f.server->publish({{"type", "replica"}, {"key", "leg:1"}});
    f.server->publish({{"type", "call"}});
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 4; }));
    std::ranges::sort(seen);
    CHECK(seen ==
          std::vector<std::string>{"all: call", "all: snapshot-end", "by name: replica", "by name: snapshot-end"});
}

TEST_CASE("control::Server: a watcher that does not read is cut off") {
    Fixture f;
    const io::Fd deaf = io::connect_unix(f.path).value();
    const std::string request = "{\"cmd\":\"watch\"}\n";
    REQUIRE(::write(deaf.get(), request.data(), request.size()) == static_cast<ssize_t>(request.size()));
    REQUIRE(run_until(f.loop, [&] { return f.server->watched(); }));
    const Json record = {{"type", "session"}, {"text", std::string(100000, 'x')}};
    for (int i = 0; i < 500 && f.server->watched(); ++i) f.server->publish(record);
    CHECK_FALSE(f.server->watched());
}

TEST_CASE("control::Client: answers, errors, time-outs") {
    Fixture f;
    Client client(f.loop, f.path, random_prefix());
    client.set_timeout(50ms);
    std::vector<std::string> seen;
    const auto note = [&](Result<Json> reply) { seen.push_back(reply ? reply->dump() : to_string(reply.error())); };
    client.request("echo", {{"text", "before connecting"}}, note);
    client.request("fail", nullptr, note);
    client.request("hold", nullptr, note);
    CHECK(seen.empty());
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 3; }));
    CHECK(seen[0] == R"({"text":"before connecting","run":1})");
    CHECK(seen[1] == "ports: all in use");
    CHECK(seen[2] == "no answer in 50ms");
    CHECK(client.waiting() == 0);
}

TEST_CASE("control::Client: a request without urgency leaves with the next one, in its order, or by itself") {
    Fixture f;
    Client client(f.loop, f.path, random_prefix());
    std::vector<std::string> seen;
    const auto note = [&](Result<Json> reply) { seen.push_back(reply ? reply->dump() : to_string(reply.error())); };
    client.request("echo", {{"text", "connected"}}, note);
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 1; }));
    client.request_text("echo", R"({"text":"later"})", note, Client::Urgency::can_wait);
    client.request("echo", {{"text", "now"}}, note);
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 3; }));
    CHECK(seen[1] == R"({"text":"later","run":2})");
    CHECK(seen[2] == R"({"text":"now","run":3})");
    client.request_text("echo", R"({"text":"alone"})", note, Client::Urgency::can_wait);
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 4; }));
    CHECK(seen[3] == R"({"text":"alone","run":4})");
}

TEST_CASE("control::Client: answers without a tree") {
    Fixture f;
    Client client(f.loop, f.path, random_prefix());
    std::vector<std::string> seen;
    const auto note = [&](const Result<record::ObjectView>& reply) {
        seen.push_back(reply ? reply->text() : to_string(reply.error()));
    };
    const std::string deep = std::string(60, '[') + std::string(60, ']');
    client.request_view("quick", R"({"text":)" + deep + "}", note);
    client.request_view("quick", {}, note);
    client.request_view("quick", R"({"text":"x","brief":true})", note);
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 3; }));
    client.set_timeout(50ms);
    client.request_view("hold", {}, note);
    REQUIRE(run_until(f.loop, [&] { return seen.size() == 4; }));
    CHECK(seen[0] == R"({"text":)" + deep + "}");
    CHECK(seen[1] == "text: missing");
    CHECK(seen[2] == "{}");
    CHECK(seen[3] == "no answer in 50ms");
}

TEST_CASE("control::Client: what was not answered is asked again of the next server, with its id") {
    Fixture f;
    Client client(f.loop, f.path, "again");
    std::vector<bool> states;
    client.on_state([&](bool connected, const std::string&) { states.push_back(connected); });
    std::string answer;
    client.request("hold", nullptr,
                   [&](Result<Json> reply) { answer = reply ? reply->dump() : to_string(reply.error()); });
    REQUIRE(run_until(f.loop, [&] { return f.held.size() == 1; }));
    f.held.clear();  // its reply dies with the server below
    REQUIRE(run_until(f.loop, [&] { return !answer.empty(); }));
    answer.clear();
    client.request("hold", nullptr,
                   [&](Result<Json> reply) { answer = reply ? reply->dump() : to_string(reply.error()); });
    REQUIRE(run_until(f.loop, [&] { return f.held.size() == 1; }));
    f.server.reset();
    f.held.clear();
    f.start();
    REQUIRE(run_until(f.loop, [&] { return f.held.size() == 1; }));
    f.held[0].ok({{"after", "restart"}});
    REQUIRE(run_until(f.loop, [&] { return !answer.empty(); }));
    CHECK(answer == R"({"after":"restart"})");
    CHECK(states.front());
    CHECK(states.back());
    CHECK(std::count(states.begin(), states.end(), false) >= 1);
}

TEST_CASE("control: descriptors both ways") {
    Fixture f;
    Client client(f.loop, f.path, "fds");
    std::vector<io::Fd> sockets;
    sockets.push_back(io::open_udp(Endpoint::parse("127.0.0.1:0").value()).value());
    sockets.push_back(io::open_udp(Endpoint::parse("127.0.0.1:0").value()).value());
    const Endpoint first = io::local_endpoint(sockets[0]).value();
    std::vector<io::Fd> back;
    client.request("sockets", {{"sockets", Json::array({"udp:a", "udp:b"})}}, std::move(sockets),
                   [&](Result<Json> reply, std::vector<io::Fd> fds) {
                       REQUIRE(reply.has_value());
                       CHECK((*reply)["got"] == 2);
                       back = std::move(fds);
                   });
    REQUIRE(run_until(f.loop, [&] { return back.size() == 2; }));
    CHECK(io::local_endpoint(back[0]).value() == first);
}

TEST_CASE("control::Client: gone before the answer, no callback") {
    Fixture f;
    bool called = false;
    {
        Client client(f.loop, f.path, "gone");
        client.request("hold", nullptr, [&](Result<Json>) { called = true; });
        REQUIRE(run_until(f.loop, [&] { return f.held.size() == 1; }));
    }
    f.held[0].ok({});
    REQUIRE(run_until(f.loop, [&] { return f.server->connections() == 0; }));
    CHECK_FALSE(called);
}
