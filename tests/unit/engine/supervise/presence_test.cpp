#include "sockets/presence.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using supervise::Presence;
using Change = Presence::Change;

namespace {

IpAddress ip(const char* text) {
    return IpAddress::parse(text).value();
}

HostAddress on(const char* interface, const char* address, bool up = true) {
    return {.interface = interface, .index = 1, .address = ip(address), .prefix = 24, .up = up};
}

std::vector<config::Listen> listens(std::initializer_list<const char*> names) {
    std::vector<config::Listen> list;
    for (const char* name : names) list.push_back(config::Listen::parse(name).value());
    return list;
}

using Events = std::vector<Presence::Event>;

}  // namespace

TEST_CASE("supervise::Presence: each change is told once for each address") {
    Presence presence;
    const auto wanted = listens({"udp:192.168.10.1:5060", "tcp:192.168.10.1:5060", "udp:203.0.113.10:5060"});
    const HostAddress lan = on("lan0", "192.168.10.1");
    const HostAddress wan = on("wan0", "203.0.113.10");
    const auto look = [&](std::vector<HostAddress> host) { return presence.look(wanted, host); };
    CHECK(look({lan}) == Events{{wan.address, Change::awaited}});
    CHECK(look({lan}).empty());
    CHECK_FALSE(presence.here(wan.address));
    CHECK(look({lan, wan}).empty());  // its sockets tell
    CHECK(presence.here(wan.address));
    CHECK(look({wan}) == Events{{lan.address, Change::left}});
    CHECK(look({wan}).empty());
    CHECK(look({on("lan0", "192.168.10.1", false), wan}).empty());  // down is as gone
    CHECK(look({lan, wan}) == Events{{lan.address, Change::back}});
    CHECK_FALSE(presence.here(ip("198.51.100.1")));
}

TEST_CASE("supervise::Presence: by default, what has gone stays until its interface has another address") {
    Presence presence;
    const auto before = listens({"udp:192.168.10.1:5060", "udp:203.0.113.10:5060", "tcp:203.0.113.10:5060"});
    const std::vector<HostAddress> both = {on("lan0", "192.168.10.1"), on("wan0", "203.0.113.10")};
    CHECK(presence.look(before, both).empty());
    const std::vector<HostAddress> lan_only = {on("lan0", "192.168.10.1")};
    const auto lan = listens({"udp:192.168.10.1:5060"});
    CHECK(presence.with_gone(lan, before, lan_only) == before);
    const auto other = listens({"udp:192.168.10.1:5060", "udp:203.0.113.11:5060"});
    const std::vector<HostAddress> moved = {on("lan0", "192.168.10.1"), on("wan0", "203.0.113.11")};
    CHECK(presence.with_gone(other, before, moved) == other);
    // An address of another family, or of another interface, takes nobody's place.
    const std::vector<HostAddress> six = {on("lan0", "192.168.10.1"), on("wan0", "2001:db8::1")};
    CHECK(presence.with_gone(listens({"udp:[2001:db8::1]:5060"}), before, six).size() == 4);
}

TEST_CASE("supervise::Presence: a host whose interfaces come and go keeps a few of them") {
    Presence presence;
    std::vector<config::Listen> kept;
    for (int i = 1; i <= 20; ++i) {
        const std::string address = "172.18." + std::to_string(i) + ".1";
        const std::string interface = "br" + std::to_string(i);
        const std::vector<HostAddress> host = {on(interface.c_str(), address.c_str())};
        kept = presence.with_gone(listens({("udp:" + address + ":5060").c_str(), ("tcp:" + address + ":5060").c_str()}),
                                  kept, host);
        static_cast<void>(presence.look(kept, host));
    }
    REQUIRE(kept.size() == 2 * (1 + Presence::most_gone));
    CHECK(to_string(kept.front()) == "udp:172.18.20.1:5060");
    CHECK(to_string(kept.back()) == "tcp:172.18.12.1:5060");
}
