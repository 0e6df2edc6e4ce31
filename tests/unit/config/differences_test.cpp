#include "natkit/config/differences.hpp"

#include <doctest/doctest.h>

using namespace natkit;

namespace {

config::Config read(std::string_view text) {
    return config::parse(text, "natkit.toml", "/etc/natkit", {})->config;
}

}  // namespace

TEST_CASE("config::differences: what a reload would change, key by key") {
    const config::Config before = read("[sip.routes]\n\"a.example\" = \"sip:192.0.2.1\"\n");
    CHECK(config::differences(before, before).empty());
    const auto changes = config::differences(
        before, read("[network]\nnat_servers = [\"198.51.100.7\"]\n[pinger]\nudp_interval = \"off\"\n"
                     "[sip.routes]\n\"b.example\" = \"sip:192.0.2.1\"\n"));
    REQUIRE(changes.size() == 4);
    CHECK(changes[0] == config::Difference{"[network] nat_servers", "[]", "[\"198.51.100.7\"]"});
    CHECK(changes[1] == config::Difference{"[sip.routes] \"a.example\"",
                                           "{ to = \"sip:192.0.2.1\", kind = \"home\", path = \"auto\" }", ""});
    CHECK(changes[2] == config::Difference{"[pinger] udp_interval", "\"25s\"", "\"off\""});
    CHECK(changes[3].key == "[sip.routes] \"b.example\"");
    CHECK(changes[3].before.empty());
}
