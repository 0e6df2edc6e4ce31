#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "../../io/own_loopback.hpp"
#include "calls.hpp"
#include "natkit/ng/bencode.hpp"
#include "rtpproxy_sessions.hpp"

using namespace natkit;
using namespace natkit::ng;

namespace {

struct Fixture {
    std::filesystem::path folder;
    io::Loop loop;
    std::unique_ptr<relay::Engine> engine;

    Fixture() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-ng-XXXXXX").string();
        folder = ::mkdtemp(name.data());
        start();
    }
    void start(std::optional<cluster::Standing> standing = {}) {
        engine.reset();
        relay::Options options;
        options.standing = std::move(standing);
        options.ports = relay::PortRange{.first = 42000, .last = 42999};
        options.lan = options.wan = {own_loopback()};
        options.journal = (folder / "j").string();
        options.tiers.receive = relay::ReceiveChoice::sockets;
        engine = relay::Engine::start(loop, options, [](const relay::Json&) {}).value();
        engine->set_log_level(LogLevel::failures);
    }
    ~Fixture() {
        engine.reset();
        std::filesystem::remove_all(folder);
    }
    /// Until `done`, or for two seconds.
    void run(const bool& done) {
        io::Timer late(loop, [this] { loop.stop(); });
        late.start_in(std::chrono::seconds(2));
        io::Timer look(loop, [&] { done ? loop.stop() : look.start_in(std::chrono::milliseconds(1)); });
        look.start_in({});
        loop.run();
    }
    [[nodiscard]] bool knows(const std::string& call_id) const {
        std::ostringstream text;
        text << std::ifstream(folder / "j").rdbuf();
        return text.str().find("\"call_id\":\"" + call_id + '"') != std::string::npos;
    }
};

constexpr const char* description =
    "v=0\r\no=- 1 1 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

Request request(Command command, const std::string& call_id) {
    Request request;
    request.command = command;
    request.call_id = call_id;
    request.from_tag = "a";
    request.sdp = description;
    return request;
}

}  // namespace

TEST_CASE("ng: what offers have opened is journalled before the first of them is answered") {
    Fixture here;
    Calls calls(here.loop, *here.engine, {.interfaces = {}, .log_level = LogLevel::failures});
    std::string order;
    bool known = false;
    bool done = false;
    calls.handle(request(Command::offer, "one"), [&](const Dictionary&) {
        order += "1";
        known = here.knows("one") && here.knows("two");
    });
    calls.handle(request(Command::offer, "two"), [&](const Dictionary&) { order += "2"; });
    calls.handle(request(Command::ping, ""), [&](const Dictionary&) {
        order += "3";
        done = true;
    });
    CHECK(order.empty());
    here.run(done);
    CHECK(known);
    CHECK(order == "123");
}

TEST_CASE("ng: a process that follows knows of a call what the one before it knew") {
    Fixture here;
    std::optional<Calls> calls;
    const auto restart = [&] {
        calls.reset();
        here.start();
        calls.emplace(here.loop, *here.engine, Settings{.interfaces = {}, .log_level = LogLevel::failures});
    };
    std::string shown;
    const auto ask = [&](Request asked) {
        bool done = false;
        calls->handle(std::move(asked), [&](const Dictionary& reply) {
            shown = to_bencode(reply);
            done = true;
        });
        here.run(done);
    };
    restart();
    Request offer = request(Command::offer, "a \"quoted\" call");
    offer.label = "line \n two";
    offer.received_from = IpAddress::parse("203.0.113.77").value();
    ask(offer);
    const std::string first = shown;
    const std::string ringing = calls->records("")["calls"].at(0).dump();
    restart();
    CHECK(calls->records("")["calls"].at(0).dump() == ringing);
    ask(offer);
    CHECK(shown == first);

    Request answer = request(Command::answer, "a \"quoted\" call");
    answer.to_tag = "b";
    ask(answer);
    const std::string answered = shown;
    CHECK(answered.find("6:result2:ok") != std::string::npos);
    const std::string established = calls->records("")["calls"].at(0).dump();
    CHECK(established.find("\"established\"") != std::string::npos);
    restart();
    CHECK(calls->records("")["calls"].at(0).dump() == established);
    ask(answer);
    CHECK(shown == answered);
}

TEST_CASE("rtpproxy: what a command has opened is journalled before it is answered") {
    Fixture here;
    rtpproxy::Sessions sessions(here.loop, *here.engine, LogLevel::failures);
    bool known = false;
    sessions.handle("U two 203.0.113.9 4000 a;1", [&](const std::string&) { known = here.knows("two"); });
    CHECK(known);
}

TEST_CASE("ng: an overloaded node refuses offers that make a call, and no others") {
    Fixture here;
    Calls calls(here.loop, *here.engine, {.interfaces = {}, .log_level = LogLevel::failures});
    const auto ask = [&](const Request& asked) {
        bool done = false;
        Dictionary reply;
        calls.handle(asked, [&](Dictionary told) {
            reply = std::move(told);
            done = true;
        });
        here.run(done);
        REQUIRE(done);
        return reply;
    };
    const auto text = [](const Dictionary& reply, const char* key) {
        const Value* found = find(reply, key);
        return found != nullptr && found->text() != nullptr ? *found->text() : std::string();
    };
    CHECK(text(ask(request(Command::offer, "one")), "result") == "ok");
    calls.set_overloaded(true);
    Request fresh = request(Command::offer, "two");
    CHECK(text(ask(fresh), "error-reason") == "Parallel session limit reached");
    fresh.load_limit = true;
    CHECK(text(ask(fresh), "result") == "load limit");
    CHECK(text(ask(fresh), "message") == "this relay has more to do than it can");
    Request again = request(Command::offer, "one");
    again.via_branch = "another";
    CHECK(text(ask(again), "result") == "ok");
    calls.set_overloaded(false);
    CHECK(text(ask(fresh), "result") == "ok");
}

TEST_CASE(
    "rtpproxy: a standby refuses as a node that shuts down does, and knows the other node's sessions when it serves") {
    Fixture here;
    std::string said;
    const auto respond = [&](const std::string& reply) { said = reply; };
    std::map<std::string, std::string> saved;
    here.engine->on_saved(
        [] { return true; },
        [&](const std::string& leg, const std::string* text) { saved[leg] = text == nullptr ? "" : *text; });
    std::optional<rtpproxy::Sessions> sessions;
    sessions.emplace(here.loop, *here.engine, LogLevel::crashes);
    sessions->handle("U two 203.0.113.9 4000 a;1", respond);
    CHECK(said.find("E") == std::string::npos);
    REQUIRE(saved.size() == 2);

    sessions.reset();
    here.engine.reset();
    std::filesystem::remove(here.folder / "j");
    here.start(cluster::Standing{.role = cluster::Role::standby, .epoch = 1, .node = "b"});
    record::ObjectReader reader;
    for (const auto& [leg, text] : saved)
        REQUIRE(here.engine->put_replica(leg, reader.read(text).value(), {}).has_value());
    sessions.emplace(here.loop, *here.engine, LogLevel::crashes);
    for (const char* command : {"U two 203.0.113.9 4000 a;1", "L two 203.0.113.8 5000 a;1 b;1", "D two a b", "I"}) {
        CAPTURE(command);
        sessions->handle(command, respond);
        CHECK(said == "E99\n");
    }
    sessions->handle("V", respond);
    CHECK(said == "20040107\n");

    here.engine->activate();
    sessions->take_up();
    sessions->handle("L two 203.0.113.8 5000 a;1 b;1", respond);
    CHECK(said.find("E") == std::string::npos);
    CHECK(here.engine->status().sessions == 1);
    sessions->handle("D two a b", respond);
    CHECK(said == "0\n");
    CHECK(here.engine->status().legs == 0);
}
