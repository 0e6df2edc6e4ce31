#include "natkit/config/config.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "natkit/config/peer_listener.hpp"

using namespace natkit;
using config::parse;

namespace {

const config::Surroundings surroundings{.runtime_dir = "/run/natkit", .state_dir = "/var/lib/natkit"};

std::expected<config::Loaded, config::Problems> read(std::string_view text) {
    return parse(text, "natkit.toml", "/etc/natkit", surroundings);
}

}  // namespace

TEST_CASE("config: an empty file gives the documented defaults") {
    const auto loaded = read("");
    REQUIRE(loaded);
    const config::Config& c = loaded->config;
    CHECK(c.network.lists.nated == nat::default_nated());
    CHECK_FALSE(c.network.lan_given);
    CHECK(c.registrar.state == "/var/lib/natkit/state.db");
    CHECK(c.control.socket == "/run/natkit/natkit.sock");
    CHECK(to_string(*c.control.metrics) == "127.0.0.1:9464");
    CHECK(c.media_proxy.ports == config::PortRange{16384, 32767});
    CHECK(c.media_proxy.timeout == std::chrono::seconds(60));
    CHECK(c.pinger.udp_interval == std::chrono::milliseconds(25'000));
    CHECK(c.pinger.clients_limit == 10'000);
    CHECK(loaded->warnings.empty());
}

TEST_CASE("config: the example of the manual") {
    const auto loaded = read(R"(
[network]
lan         = ["192.168.10.0/24", "fd00:10::/64"]
nat_servers = ["203.0.113.64-203.0.113.79", "198.51.100.7"]
[sip]
listen    = ["udp:192.168.10.1:5060", "tcp:203.0.113.10", "udp:[2001:db8::10]:5060"]
advertise = { "10.1.2.3" = "203.0.113.10" }
domains   = ["Example.com"]
log_level = "problems"
[sip.routes]
"pbx.example.net" = "sip:192.168.10.50:5060"
"carrier.example" = { to = "sip:carrier.example", kind = "trunk" }
[registrar]
users = "users.htdigest"
state = "sqlite:db/state.db"
[media_proxy]
tos                     = "ef"
source_port_restriction = false
relay_same_nat          = "nat-sites"
relay_for               = ["198.51.100.0/24", "conf.example.com"]
[media_proxy.addresses]
lan = ["192.168.10.1"]
[pinger]
udp_interval  = "off"
method        = "options"
[control]
metrics = ""
)");
    REQUIRE(loaded);
    const config::Config& c = loaded->config;
    CHECK(c.sip.listen.size() == 3);
    CHECK(to_string(c.sip.listen[1]) == "tcp:203.0.113.10:5060");
    CHECK(to_string(c.sip.listen[2]) == "udp:[2001:db8::10]:5060");
    CHECK(c.sip.domains == std::vector<std::string>{"example.com"});
    REQUIRE(c.sip.routes.size() == 2);
    CHECK(c.registrar.users == "/etc/natkit/users.htdigest");
    CHECK(c.registrar.state == "/etc/natkit/db/state.db");
    CHECK(c.media_proxy.tos == std::uint8_t{184});
    CHECK(c.media_proxy.policy.same_nat == nat::SameNat::nat_sites);
    CHECK(c.media_proxy.policy.relay_for.ranges.ranges().size() == 1);
    CHECK(c.media_proxy.policy.relay_for.domains == std::vector<std::string>{"conf.example.com"});
    CHECK_FALSE(c.pinger.udp_interval);
    CHECK_FALSE(c.control.metrics);
    const auto trunk = std::ranges::find(c.sip.routes, "carrier.example", &config::Route::domain);
    REQUIRE(trunk != c.sip.routes.end());
    CHECK(trunk->kind == config::RouteKind::trunk);
}

TEST_CASE("config: every key refuses a bad value by its position, and says what to write instead") {
    struct Case {
        const char* text;
        const char* want;
    };
    constexpr Case cases[] = {
#include "bad_values.inc"
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        const auto loaded = read(c.text);
        REQUIRE_FALSE(loaded);
        CHECK(loaded.error().size() == 1);
        CHECK(to_string(loaded.error().front()) == c.want);
    }
}

TEST_CASE("config: of a file with mistakes the rest can be used") {
    const auto draft = config::draft("[pinger]\nmethod = 1\nudp_interval = \"7s\"\n[log]\ntarget = \"a\"\n",
                                     "natkit.toml", "/etc/natkit", {});
    CHECK(draft.readable);
    CHECK(draft.problems.size() == 1);
    CHECK(draft.loaded.config.pinger.udp_interval == std::chrono::seconds(7));
    CHECK(draft.loaded.config.log.target == "/etc/natkit/a");
    CHECK(draft.loaded.places.at("[log] target: ") == "natkit.toml:5:10");
    CHECK_FALSE(config::draft("[pinger", "natkit.toml", "", {}).readable);
}

TEST_CASE("config: all problems at once, in the order of their lines") {
    const auto loaded =
        read("[pinger]\nmethod = 1\nudp_intervall = \"25s\"\n[netwrok]\n[media_proxy]\nports = \"9\"\n");
    REQUIRE_FALSE(loaded);
    REQUIRE(loaded.error().size() == 4);
    CHECK(loaded.error()[0].where == "natkit.toml:2:10");
    CHECK(to_string(loaded.error()[1]) ==
          "natkit.toml:3:1: [pinger] udp_intervall: unknown key; did you mean 'udp_interval'?");
    CHECK(to_string(loaded.error()[2]) == "natkit.toml:4:2: netwrok: unknown section; did you mean 'network'?");
    CHECK(loaded.error()[3].where == "natkit.toml:6:9");
}

TEST_CASE("config: what shows later gets the place of its key") {
    const auto loaded = read("[sip]\nlisten = []\n[control]\nmetrics = \"\"\n");
    REQUIRE(loaded);
    CHECK(loaded->config.sip.listen_given);
    CHECK(loaded->config.control.metrics_given);
    std::vector<Error> problems = {{Errc::system, "", "[sip] listen: 203.0.113.10:5060: address already in use"},
                                   {Errc::system, "", "[log] target: gone"},
                                   {Errc::system, "here", "[sip] listen: as it says"}};
    config::locate(problems, loaded->places);
    CHECK(problems[0].where == "natkit.toml:2:10");
    CHECK(problems[1].where.empty());
    CHECK(problems[2].where == "here");
}

TEST_CASE("config: what is printed is what was read") {
    const char* texts[] = {
        "",
        "[sip]\nlisten=[]\n",
        "[network]\nlan=[]\n[registrar]\nstate=\"memory\"\nopen=true\nusers=\"a\\\"\\u0007b\"\n",
        "[sip]\nlisten=[\"tls:[::1]\"]\nadvertise={\"10.0.0.1\"=\"1.2.3.4\"}\n[tls]\ncertificate=\"c\"\nkey=\"k\"\n"
        "[sip.routes]\n\"a.b\"={to=\"sip:[::1]:5070;transport=tcp\",path=\"contact\"}\n[media_proxy]\ntos=\"af41\"\n["
        "limits]\nstreams=3\nflow_requests=4\nsource_requests=5\nstranger_requests=6\nserver_requests=7\ntransactions="
        "800\n"
        "transaction_memory=90\nconnections=100\nsource_connections=11\n",
        "[cluster]\nstate=\"redis://h\"\nkey=\"k\"\nnode=\"a.b\"\npeers={\"a.b\"=\"10.0.0.1:1\",b=\"[::1]:2\"}\n",
    };
    for (const char* text : texts) {
        CAPTURE(text);
        const auto first = read(text);
        REQUIRE(first);
        const auto second = read(config::to_toml(first->config));
        REQUIRE(second);
        CHECK(second->config == first->config);
    }
}

TEST_CASE("config::apply_host: what depends on the host") {
    const auto address = [](const char* text) { return IpAddress::parse(text).value(); };
    const HostAddress host[] = {
        {"lo", 1, address("127.0.0.1"), 8},       {"eth0", 2, address("192.168.10.1"), 24},
        {"eth1", 3, address("203.0.113.10"), 24}, {"eth1", 3, address("fe80::1"), 64},
        {"eth1", 3, address("2001:db8::10"), 64}, {"ppp0", 4, address("100.64.7.8"), 10},
    };
    SUBCASE("nothing written: all global addresses, and the private networks are the LAN") {
        config::Config c = read("")->config;
        CHECK(config::apply_host(c, host).empty());
        CHECK(c.network.lists.lan == RangeSet({IpRange::parse("192.168.10.0/24").value()}));
        CHECK(c.sip.listen.size() == 8);
        CHECK(c.media_proxy.lan_addresses == std::vector{address("192.168.10.1")});
        CHECK(c.media_proxy.wan_addresses ==
              std::vector{address("203.0.113.10"), address("100.64.7.8"), address("2001:db8::10")});
        CHECK(c.network.lan_trusted);
    }
    SUBCASE("neither link-local addresses nor those of a translator inside the host make a LAN") {
        const HostAddress odd[] = {{"eth0", 2, address("169.254.3.4"), 16},
                                   {"eth0", 2, address("fe80::1"), 64},
                                   {"clat", 5, address("192.0.0.4"), 29}};
        config::Config c = read("")->config;
        static_cast<void>(config::apply_host(c, odd));
        CHECK(c.network.lists.lan.empty());
    }
    SUBCASE("no SIP at all is not the same as nothing written") {
        config::Config c = read("[sip]\nlisten=[]\n[media_proxy.addresses]\nwan=[\"203.0.113.10\"]\n")->config;
        CHECK(config::apply_host(c, host).empty());
        CHECK(c.sip.listen.empty());
        config::Config d = read("[sip]\nlisten=[]\n")->config;
        REQUIRE(config::apply_host(d, host).size() == 1);
    }
    SUBCASE("the socket for the other edges comes last, once, and is no address for media") {
        config::Config c =
            read(
                "[sip]\nlisten=[\"udp:203.0.113.10:5060\"]\n[cluster]\nstate=\"redis://h\"\nkey=\"k\"\nnode=\"a\"\n"
                "peers={a=\"192.168.10.1:5099\",b=\"192.168.10.2:5099\"}\n")
                ->config;
        for (int time = 0; time < 2; ++time) {
            static_cast<void>(config::apply_host(c, host));
            REQUIRE(c.sip.listen.size() == 2);
            CHECK(to_string(c.sip.listen.back()) == "udp:192.168.10.1:5099");
            CHECK(config::peer_listener(c) == c.sip.listen.back());
            CHECK(c.media_proxy.lan_addresses.empty());
        }
        CHECK_FALSE(config::peer_listener(read("")->config).has_value());
    }
    SUBCASE("one side given leaves the other as it would be") {
        config::Config c = read("[media_proxy.addresses]\nwan=[\"203.0.113.10\"]\n")->config;
        CHECK(config::apply_host(c, host).empty());
        CHECK(c.media_proxy.lan_addresses == std::vector{address("192.168.10.1")});
        CHECK(c.media_proxy.wan_addresses == std::vector{address("203.0.113.10")});
    }
    SUBCASE("an address that has gone for the moment does not make a host with one interface") {
        config::Config c = read(
                               "[network]\nlan=[\"192.168.10.0/24\"]\n[sip]\nlisten=[\"udp:192.168.10.1\", "
                               "\"udp:203.0.113.99\"]")
                               ->config;
        static_cast<void>(config::apply_host(c, host));
        CHECK(c.network.lan_trusted);
    }
    SUBCASE("a wildcard stands for the addresses of its family") {
        config::Config c = read("[sip]\nlisten=[\"udp:[::]:5070\", \"udp:[2001:db8::10]:5070\"]")->config;
        static_cast<void>(config::apply_host(c, host));
        REQUIRE(c.sip.listen.size() == 1);
        CHECK(to_string(c.sip.listen[0]) == "udp:[2001:db8::10]:5070");
    }
    SUBCASE("one interface: being on the LAN grants nothing, and an operator hears of it") {
        config::Config c = read("[network]\nlan=[\"192.168.10.0/24\"]\n[sip]\nlisten=[\"udp:192.168.10.1\"]")->config;
        const auto warnings = config::apply_host(c, host);
        CHECK_FALSE(c.network.lan_trusted);
        REQUIRE(warnings.size() == 1);
        CHECK(warnings[0].message.starts_with("[registrar] nobody may register: with a single interface"));
    }
}

TEST_CASE("config::apply_host: what can be run and will not be useful is told") {
    const auto address = [](const char* text) { return IpAddress::parse(text).value(); };
    const std::vector<HostAddress> cloud = {
        {.interface = "eth0", .index = 2, .address = address("10.1.2.3"), .prefix = 24}};
    const std::vector<HostAddress> edge = {
        {.interface = "lan0", .index = 2, .address = address("192.168.10.1"), .prefix = 24},
        {.interface = "wan0", .index = 3, .address = address("203.0.113.10"), .prefix = 24}};
    const std::vector<HostAddress> none;
    struct Case {
        const char* why;
        const std::vector<HostAddress>& host;
        const char* text;
        const char* want;  ///< the beginning of a warning; empty: none at all
    };
    const Case cases[] = {
        {"a LAN and a WAN", edge, "", ""},
        {"no LAN, no users", edge, "[network]\nlan=[]", "[registrar] nobody may register: there are no users"},
        {"no LAN, and users", edge, "[network]\nlan=[]\n[registrar]\nusers=\"users\"", ""},
        {"no LAN, and open", edge, "[network]\nlan=[]\n[registrar]\nopen=true", ""},
        {"no LAN, and others' registrars", edge,
         "[network]\nlan=[]\n[sip.routes]\n\"pbx.example.net\"=\"sip:203.0.113.5\"", ""},
        {"one interface", cloud, "[sip]\nadvertise={\"10.1.2.3\"=\"203.0.113.10\"}",
         "[registrar] nobody may register: with a single interface"},
        {"private, and shown as it is", cloud, "[registrar]\nopen=true", "[sip] listen: 10.1.2.3 is a private address"},
        {"private, and advertised", cloud, "[registrar]\nopen=true\n[sip]\nadvertise={\"10.1.2.3\"=\"203.0.113.10\"}",
         ""},
        {"private, and the LAN by its own words", cloud, "[network]\nlan=[\"10.1.2.0/24\"]\n[registrar]\nopen=true",
         ""},
        {"a WAN side that is private", cloud, "[network]\nlan=[\"192.168.99.0/24\"]\n[registrar]\nopen=true",
         "[sip] listen: 10.1.2.3 is a private address"},
        {"no address yet", none, "[registrar]\nopen=true", "[sip] listen: no address yet"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        auto config = read(c.text)->config;
        std::string told;
        for (const Error& warning : config::apply_host(config, c.host)) told += warning.message + "\n";
        CAPTURE(told);
        CHECK((std::string_view(c.want).empty() ? told.empty() : told.find(c.want) != std::string::npos));
    }
}
