#include "natkit/engine/relay/engine.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "../../io/own_loopback.hpp"
#include "../../io/run_until.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

struct Fixture {
    std::filesystem::path folder;
    io::Loop loop;
    std::unique_ptr<Engine> engine;

    explicit Fixture(relay::Timeouts timeouts = {}) {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-engine-XXXXXX").string();
        folder = ::mkdtemp(name.data());
        Options options;
        options.ports = relay::PortRange{.first = 41000, .last = 41999};
        options.lan = options.wan = {own_loopback()};
        options.networks.lan.add(IpRange::single(own_loopback()));
        options.journal = file();
        options.tiers.receive = ReceiveChoice::sockets;  // the tests look for them
        options.timeouts = timeouts;
        engine = Engine::start(loop, options, [](const Json&) {}).value();
        engine->set_log_level(LogLevel::failures);
    }
    ~Fixture() {
        engine.reset();
        std::filesystem::remove_all(folder);
    }
    [[nodiscard]] std::string file() const { return (folder / "j").string(); }
    [[nodiscard]] bool journalled(const std::string& freed) const {
        std::ostringstream text;
        text << std::ifstream(file()).rdbuf();
        return text.str().find(R"({"type":"free","leg":")" + freed) != std::string::npos;
    }
    std::string open(const std::string& owner) {
        return engine->open({.party = {}, .call_id = "c", .owner = owner, .owner_state = {}, .request = {}})
            .value()
            ->id;
    }
};

}  // namespace

TEST_CASE(
    "relay::Engine: what is freed without waking a worker is journalled at once, and its sockets close a little "
    "later") {
    Fixture f;
    const std::string a = f.open("edge");
    const std::string b = f.open("edge");
    const Endpoint port = f.engine->find(a)->bound;
    REQUIRE(f.engine->join(a, b).has_value());
    {
        const Engine::Batch both(*f.engine);
        REQUIRE(f.engine->free(a, "freed", Engine::Wake::later).has_value());
        REQUIRE(f.engine->free(b, "freed", Engine::Wake::later).has_value());
    }
    CHECK(f.engine->find(a) == nullptr);
    CHECK(f.engine->status().ports_in_use == 0);
    CHECK(f.journalled(a));
    CHECK(f.journalled(b));
    CHECK_FALSE(io::open_udp(port).has_value());
    CHECK(run_until(f.loop, [&] { return io::open_udp(port).has_value(); }));
}

TEST_CASE("relay::Engine: of two owners who go on from the same owner_state one does; legs are found by call") {
    Fixture f;
    const std::string leg = f.open("filter");
    const auto update = [&](const char* before, const char* state) {
        UpdateRequest request;
        request.owner_state_before = before;
        request.owner_state = state;
        request.hold = true;
        return f.engine->update(leg, request);
    };
    CHECK(update("", R"({"n":1})").has_value());
    REQUIRE(
        f.engine->update(leg, {.party = {}, .hold = false, .mux = {}, .owner_state = {}, .owner_state_before = {}}));
    const auto late = update("", R"({"n":2})");
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code == Errc::refused);
    CHECK(late.error().where == "owner_state_before");
    CHECK(f.engine->find(leg)->owner_state == R"({"n":1})");
    CHECK_FALSE(f.engine->find(leg)->hold);
    CHECK(update(R"({"n":1})", R"({"n":2})").has_value());
    const std::string second = f.open("filter");
    const auto listed = f.engine->legs_of("c");
    REQUIRE(listed.size() == 2);
    CHECK(listed[0].leg->id == leg);
    CHECK(listed[1].leg->id == second);
    CHECK(f.engine->legs_of("another").empty());
}

TEST_CASE("relay::Engine: a join lives while other media of its call go on, and all go when all are silent") {
    Fixture f({.silence = 1s, .hold = 1h});
    const Endpoint phone{.address = own_loopback(), .port = 40999};
    const auto joined = [&](const std::string& call) {
        std::array<std::string, 2> legs;
        for (std::string& leg : legs) {
            const relay::Party party{
                .place = nat::Place::lan, .endpoint = phone, .rtcp = {}, .visible = {}, .site = {}, .setup = {}};
            OpenRequest request{.party = party, .call_id = call, .owner = "o", .owner_state = {}, .request = {}};
            request.side = relay::Side::lan;
            leg = f.engine->open(request).value()->id;
        }
        REQUIRE(f.engine->join(legs[0], legs[1]).has_value());
        return legs;
    };
    const auto audio = joined("c");
    const auto video = joined("c");
    const auto other = joined("d");
    const auto sender = io::open_udp(phone);
    REQUIRE(sender);
    const std::array<std::uint8_t, 20> packet{};
    unsigned sent = 0;
    io::Timer tick(f.loop, [&] {
        (void)io::send_udp(*sender, f.engine->find(audio[0])->bound, packet);
        if (++sent < 40) tick.start_in(100ms);
    });
    tick.start_in(1ms);
    CHECK(run_until(f.loop, [&] { return sent == 40; }));
    CHECK(f.engine->find(other[0]) == nullptr);
    CHECK(f.engine->find(audio[0]) != nullptr);
    CHECK(f.engine->find(video[0]) != nullptr);
    CHECK(run_until(f.loop, [&] { return f.engine->status().legs == 0; }));
}
