// A node of a cluster: what a standby takes, holds and drops, and what becomes of it when it serves.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "../../io/own_loopback.hpp"
#include "../../io/run_until.hpp"
#include "natkit/engine/relay/engine.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;
using namespace natkit::relay;
using namespace std::chrono_literals;

namespace {

constexpr cluster::Role standby = cluster::Role::standby;

struct Fixture {
    std::filesystem::path folder;
    io::Loop loop;
    std::vector<Json> told;
    std::unique_ptr<Engine> engine;

    explicit Fixture(cluster::Role role = standby) {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-standby-XXXXXX").string();
        folder = ::mkdtemp(name.data());
        start(role);
    }
    ~Fixture() {
        engine.reset();
        std::filesystem::remove_all(folder);
    }
    void start(cluster::Role role) {
        engine.reset();
        Options options;
        options.ports = relay::PortRange{.first = 43000, .last = 43999};
        options.lan = options.wan = {own_loopback()};
        options.networks.lan.add(IpRange::single(own_loopback()));
        options.journal = (folder / "j").string();
        options.tiers.receive = ReceiveChoice::sockets;  // the tests look for them
        options.standing = cluster::Standing{.role = role, .epoch = 1, .node = "b"};
        options.log_level = LogLevel::failures;
        engine = Engine::start(loop, options, [this](const Json& record) { told.push_back(record); }).value();
    }
    [[nodiscard]] std::string journal() const {
        std::ostringstream text;
        text << std::ifstream(folder / "j").rdbuf();
        return text.str();
    }
    Result<void> put(const std::string& leg, const Json& record, Duration ahead = {}) {
        record::ObjectReader reader;
        return engine->put_replica(leg, reader.read(record.dump()).value(), ahead);
    }
    Result<void> put(const Json& record) { return put(record.value("leg", ""), record); }
    /// Why not; empty: it was taken.
    std::string why_not(const std::string& leg, const Json& record) {
        const auto put_now = put(leg, record);
        return put_now ? "" : put_now.error().where + ": " + put_now.error().message;
    }
};

Endpoint here(std::uint16_t port) {
    return {own_loopback(), port};
}

bool is_free(std::uint16_t port) {
    return io::open_udp(here(port)).has_value();
}

Json leg(const char* id, std::uint16_t port, const Json& more = Json::object()) {
    Json record = {{"type", "leg"},
                   {"leg", id},
                   {"call_id", "c"},
                   {"state", "open"},
                   {"stream", "rtp"},
                   {"side", "lan"},
                   {"family", "ipv4"},
                   {"owner", "edge"},
                   {"local", to_string(here(port))},
                   {"opened_ms", 5000},
                   {"request", std::string("r-") + id}};
    record.update(more);
    return record;
}

Json party(std::uint16_t port) {
    return {{"place", "lan"}, {"endpoint", to_string(here(port))}};
}

}  // namespace

TEST_CASE("relay::Engine: what a standby is given is taken, or refused with the reason") {
    Fixture f;
    const auto foreign = io::open_udp(here(43100));
    REQUIRE(foreign.has_value());
    struct Case {
        const char* why;
        const char* id;
        Json record;
        const char* want;
    };
    const Case cases[] = {
        {"a leg", "00000000a1", leg("00000000a1", 43000), ""},
        {"the same again", "00000000a1", leg("00000000a1", 43000), ""},
        {"with members of another version", "00000000a2", leg("00000000a2", 43002, {{"colour", {1, 2}}}), ""},
        {"under the key of another", "00000000a3", leg("00000000a1", 43000), "leg: not the leg of that key"},
        {"no id", "x", leg("x", 43004), "leg: not the leg of that key"},
        {"no state", "00000000a4", leg("00000000a4", 43004, {{"state", 7}}), "state: "},
        {"no endpoint", "00000000a4", leg("00000000a4", 43004, {{"local", "nowhere"}}), "local: "},
        {"a party that is none", "00000000a4", leg("00000000a4", 43004, {{"party", 1}}), "party: "},
        {"on an address that media is not on", "00000000a4", leg("00000000a4", 43004, {{"local", "0.0.0.0:43004"}}),
         "local: 0.0.0.0 is none"},
        {"a port of no range", "00000000a4", leg("00000000a4", 44000), ": "},
        {"somebody else's port", "00000000a4", leg("00000000a4", 43100), ": "},
        {"too much of an owner's", "00000000a4",
         leg("00000000a4", 43004, {{"owner_state", {{"x", std::string(9000, 'x')}}}}), "owner_state: larger"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const std::string told = f.why_not(c.id, c.record);
        CHECK(told.substr(0, std::string_view(c.want).size()) == c.want);
        CHECK(told.empty() == std::string_view(c.want).empty());
    }
    CHECK(f.engine->status().legs == 2);
    CHECK(f.engine->status().ports_in_use == 4);
    CHECK(f.told.empty());
}

TEST_CASE("relay::Engine: a standby has the ports of the active node's legs, and hears nothing on them") {
    Fixture f;
    REQUIRE(f.put(leg("00000000a1", 43000, {{"state", "joined"}, {"joined", "00000000a2"}, {"party", party(42000)}})));
    REQUIRE(f.put(leg("00000000a2", 43002, {{"state", "joined"}, {"joined", "00000000a1"}, {"party", party(42002)}})));
    REQUIRE(f.put(leg("00000000a3", 43004, {{"state", "reserved"}})));
    CHECK_FALSE(is_free(43000));
    CHECK_FALSE(is_free(43001));
    CHECK(is_free(43004));
    CHECK(f.engine->status().sessions == 1);
    const auto a = io::open_udp(here(42000));
    const auto b = io::open_udp(here(42002));
    REQUIRE(b.has_value());
    const std::array<std::uint8_t, 20> packet{0x80};
    std::array<std::uint8_t, 64> room{};
    bool came = false;
    const auto heard = [&] { return came = came || ::recv(b->get(), room.data(), room.size(), MSG_DONTWAIT) > 0; };
    for (int i = 0; i < 3; ++i) CHECK(io::send_udp(*a, here(43000), packet).status == io::SendStatus::sent);

    f.engine->activate();
    CHECK_FALSE(f.engine->standby());
    CHECK(f.engine->status().sessions == 1);
    CHECK_FALSE(heard());  // what came before is gone
    CHECK(io::send_udp(*a, here(43000), packet).status == io::SendStatus::sent);
    CHECK(run_until(f.loop, heard));
    // It owns what it has, as after a restart.
    CHECK(f.engine->claim("edge") == 3);
    CHECK(f.engine->open({.party = {}, .call_id = "d", .owner = "edge", .owner_state = {}, .request = {}}).has_value());

    f.engine->fall_silent();
    CHECK(f.engine->standby());
    CHECK(is_free(43000));
}

TEST_CASE("relay::Engine: the latest record of a leg counts, in place or anew, and is journalled") {
    Fixture f;
    REQUIRE(f.put("00000000a1", leg("00000000a1", 43000), 2s));
    CHECK(f.engine->find("00000000a1")->opened == WallTime(3s));
    REQUIRE(f.put(leg("00000000a1", 43000, {{"owner_state", {{"n", 2}}}, {"hold", true}})));
    CHECK(f.engine->find("00000000a1")->owner_state == R"({"n":2})");
    CHECK(f.engine->find("00000000a1")->hold);
    CHECK(f.journal().find(R"("owner_state":{"n":2})") != std::string::npos);

    SUBCASE("other ports: the former are given back") {
        REQUIRE(f.put(leg("00000000a1", 43010)));
        CHECK(is_free(43000));
        CHECK_FALSE(is_free(43010));
        CHECK(f.engine->status().ports_in_use == 2);
    }
    SUBCASE("a port that another leg has by now: that one is gone") {
        REQUIRE(f.put(leg("00000000b1", 43000)));
        CHECK(f.engine->find("00000000a1") == nullptr);
        CHECK_FALSE(is_free(43000));
        CHECK(f.engine->legs_of("c").size() == 1);
    }
    SUBCASE("parted: its ports are set aside, and closed") {
        REQUIRE(f.put(leg("00000000a1", 43000, {{"state", "parted"}})));
        CHECK(is_free(43000));
        CHECK(f.engine->status().ports_in_use == 2);
    }
    SUBCASE("gone") {
        f.engine->drop_replica("00000000a1");
        f.engine->drop_replica("00000000a1");
        CHECK(is_free(43000));
        CHECK(f.engine->status().ports_in_use == 0);
        CHECK(f.engine->find_request("r-00000000a1") == nullptr);
        CHECK(f.journal().find(R"({"type":"free","leg":"00000000a1")") != std::string::npos);
    }
    SUBCASE("the next process holds it, as a standby or not") {
        for (const cluster::Role role : {standby, cluster::Role::active}) {
            f.start(role);
            REQUIRE(f.engine->find("00000000a1") != nullptr);
            CHECK(f.engine->standby() == (role == standby));
            CHECK_FALSE(is_free(43000));
        }
    }
    CHECK(f.told.empty());
}

TEST_CASE("relay::Engine: of a whole set what was not put is gone, and nothing before its end") {
    Fixture f;
    REQUIRE(f.put(leg("00000000a1", 43000)));
    REQUIRE(f.put(leg("00000000a2", 43002)));
    REQUIRE(f.put(leg("00000000a3", 43004)));
    CHECK_FALSE(f.engine->end_whole().has_value());
    f.engine->begin_whole();
    REQUIRE(f.put(leg("00000000a2", 43002)));
    CHECK_FALSE(f.put("00000000a3", leg("00000000a3", 43004, {{"state", "odd"}})));  // it is there, whatever it is
    REQUIRE(f.put(leg("00000000a4", 43006)));
    CHECK(f.engine->status().legs == 4);
    REQUIRE(f.engine->end_whole());
    CHECK(f.engine->find("00000000a1") == nullptr);
    CHECK(f.engine->status().legs == 3);
    f.engine->begin_whole();
    REQUIRE(f.engine->end_whole());
    CHECK(f.engine->status().legs == 0);
}

TEST_CASE("relay::Engine: a join that one leg names alone is none") {
    Fixture f;
    REQUIRE(f.put(leg("00000000a1", 43000, {{"state", "joined"}, {"joined", "00000000a2"}})));
    REQUIRE(f.put(leg("00000000a2", 43002)));
    REQUIRE(f.put(leg("00000000a3", 43004, {{"state", "joined"}, {"joined", "00000000ff"}})));
    CHECK(f.engine->status().sessions == 0);
    f.engine->activate();
    CHECK(f.engine->status().sessions == 0);
    CHECK(f.engine->find("00000000a1")->state == record::LegState::open);
    CHECK(f.engine->find("00000000a3")->joined.empty());
    REQUIRE(f.engine->join("00000000a1", "00000000a2"));
}

TEST_CASE("relay::Engine: changes of legs are told while somebody wants them, with a journal or without") {
    Fixture f(cluster::Role::active);
    std::vector<std::string> saved;
    bool wanted = false;
    f.engine->on_saved([&] { return wanted; },
                       [&](const std::string& id, const std::string* text) {
                           saved.push_back(id + (text == nullptr ? " gone" : ""));
                           if (text != nullptr) CHECK(Json::parse(*text)["leg"] == id);
                       });
    const auto open = [&] {
        return f.engine->open({.party = {}, .call_id = "c", .owner = "o", .owner_state = {}, .request = {}})
            .value()
            ->id;
    };
    const std::string before = open();
    CHECK(saved.empty());
    wanted = true;
    const std::string a = open();
    REQUIRE(f.engine->update(a, {.party = {}, .hold = true, .mux = {}, .owner_state = {}, .owner_state_before = {}}));
    {
        const Engine::Batch both(*f.engine);
        REQUIRE(f.engine->join(before, a));
        REQUIRE(f.engine->free(a));
    }
    CHECK(saved == std::vector<std::string>{a, a, before, a + " gone"});
}

TEST_CASE("record: the members of a leg are those that are written of one") {
    Json full = leg("00000000a1", 43000,
                    {{"mux", false},
                     {"bound", to_string(here(43100))},
                     {"connections", 2},
                     {"tos", 184},
                     {"hold", true},
                     {"party", party(42000)},
                     {"joined", "00000000a2"},
                     {"owner_state", {{"n", 1}}},
                     {"latched", {{"rtp", {{"endpoint", to_string(here(42000))}, {"rule", "exact"}}}}}});
    std::set<std::string> written;
    for (const bool mux : {false, true}) {
        full["mux"] = mux;
        record::ObjectReader reader;
        auto known = record::parse_leg(reader.read(full.dump()).value());
        REQUIRE(known.has_value());
        known->advertised = IpAddress::v4(1);
        const Json text = Json::parse(record::journal_text(*known));
        for (const auto& [name, value] : text.items()) written.insert(name);
    }
    CHECK(written == std::set<std::string>(record::leg_members.begin(), record::leg_members.end()));
}
