#include "natkit/sip/locate.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace natkit;
using namespace natkit::sip;
using Kind = dns::Query::Kind;

namespace {

using Zone = std::map<std::string, dns::Answer>;  ///< by "SRV name"

dns::Answer addresses(std::initializer_list<const char*> texts) {
    dns::Answer answer;
    for (const char* text : texts) answer.addresses.push_back(IpAddress::parse(text).value());
    return answer;
}

dns::Answer srv(std::initializer_list<dns::Srv> records) {
    return {.naptr = {}, .srv = records, .addresses = {}};
}

dns::Answer naptr(std::initializer_list<dns::Naptr> records) {
    return {.naptr = records, .srv = {}, .addresses = {}};
}

/// Asks a zone until nothing is missing, as a resolver would; what the zone does not have does not exist.
Location search(const char* uri, const Zone& zone, const Abilities& abilities, std::uint64_t seed = 1,
                std::vector<std::string>* asked = nullptr) {
    static const dns::Answer none;
    std::set<dns::Query> known;
    const auto answers = [&](const dns::Query& query) -> const dns::Answer* {
        if (!known.contains(query)) return nullptr;
        const auto found = zone.find(to_string(query));
        return found == zone.end() ? &none : &found->second;
    };
    for (;;) {
        auto location = locate(Uri::parse(uri).value(), abilities, answers, seed);
        if (location.missing.empty()) return location;
        for (const auto& query : location.missing) {
            if (asked != nullptr) asked->push_back(to_string(query));
            REQUIRE(known.insert(query).second);
        }
    }
}

std::string text_of(const Location& location) {
    std::string text;
    for (const Located& one : location.targets) {
        text += (text.empty() ? "" : " ") + std::string(to_string(one.transport)) + ":" + to_string(one.endpoint);
    }
    return text;
}

const Zone zone = {
    {"A host.example", addresses({"192.0.2.1", "192.0.2.2"})},
    {"AAAA host.example", addresses({"2001:db8::1"})},
    {"NAPTR full.example", naptr({{20, 10, "s", "SIP+D2T", "_sip._tcp.full.example."},
                                  {10, 20, "s", "SIP+D2U", "_sip._udp.full.example."},
                                  {5, 5, "u", "E2U+sip", "."},
                                  {10, 10, "S", "sips+d2t", "_sips._tcp.Full.example"}})},
    {"SRV _sip._udp.full.example", srv({{20, 0, 5066, "b.example."}, {10, 0, 5070, "a.example."}})},
    {"SRV _sip._tcp.full.example", srv({{0, 0, 5080, "a.example"}})},
    {"SRV _sips._tcp.full.example", srv({{0, 0, 5081, "a.example"}})},
    {"A a.example", addresses({"192.0.2.11"})},
    {"A b.example", addresses({"192.0.2.12"})},
    {"SRV _sip._tcp.tcponly.example", srv({{0, 0, 5060, "b.example"}})},
    {"SRV _sip._udp.none.example", srv({{0, 0, 0, "."}})},
    {"A none.example", addresses({"192.0.2.66"})},
};

}  // namespace

TEST_CASE("locate: RFC 3263 section 4") {
    struct Case {
        const char* why;
        const char* uri;
        Abilities abilities;
        const char* want;
    };
    const Abilities plain{};
    const Abilities all{.udp = true, .tcp = true, .tls = true, .ipv4 = true, .ipv6 = true};
    const Case cases[] = {
        {"an address", "sip:192.0.2.9", plain, "udp:192.0.2.9:5060"},
        {"an address with port and transport", "sip:192.0.2.9:5070;transport=tcp", plain, "tcp:192.0.2.9:5070"},
        {"an IPv6 address, secure", "sips:[2001:db8::9]", all, "tls:[2001:db8::9]:5061"},
        {"a port: no SRV", "sip:full.example:5060", plain, ""},
        {"a port: addresses", "sip:host.example:5070", plain, "udp:192.0.2.1:5070 udp:192.0.2.2:5070"},
        {"both families", "sip:host.example:5070", all, "udp:192.0.2.1:5070 udp:192.0.2.2:5070 udp:[2001:db8::1]:5070"},
        {"no records but addresses", "sip:host.example", plain, "udp:192.0.2.1:5060 udp:192.0.2.2:5060"},
        {"the same, secure",
         "sips:host.example",
         {.udp = true, .tcp = true, .tls = true, .ipv4 = true, .ipv6 = false},
         "tls:192.0.2.1:5061 tls:192.0.2.2:5061"},
        {"NAPTR by order and preference, then SRV by priority", "sip:FULL.example", all,
         "tls:192.0.2.11:5081 udp:192.0.2.11:5070 udp:192.0.2.12:5066 tcp:192.0.2.11:5080"},
        {"what we cannot send by is left out", "sip:full.example", plain,
         "udp:192.0.2.11:5070 udp:192.0.2.12:5066 tcp:192.0.2.11:5080"},
        {"a transport named: its SRV alone", "sip:full.example;transport=tcp", all, "tcp:192.0.2.11:5080"},
        {"sips: TLS alone", "sips:full.example", all, "tls:192.0.2.11:5081"},
        {"sips over UDP makes no sense", "sips:full.example;transport=udp", all, ""},
        {"no NAPTR: the usual services", "sip:tcponly.example", plain, "tcp:192.0.2.12:5060"},
        {"a service that is not offered", "sip:none.example", plain, ""},
        {"nothing at all", "sip:nowhere.example", all, ""},
        {"an unknown transport", "sip:host.example;transport=sctp", all, ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(text_of(search(c.uri, zone, c.abilities)) == c.want);
    }
}

TEST_CASE("locate: an address asks nothing, a name with a port one thing") {
    std::vector<std::string> asked;
    (void)search("sip:192.0.2.9", zone, {}, 1, &asked);
    CHECK(asked.empty());
    (void)search("sip:host.example:5060", zone, {}, 1, &asked);
    CHECK(asked == std::vector<std::string>{"A host.example"});
}

TEST_CASE("locate: weights decide how often, never whether") {
    const Zone weighted = {
        {"SRV _sip._udp.w.example",
         srv({{0, 1, 1, "192.0.2.1"}, {0, 3, 3, "192.0.2.3"}, {0, 0, 9, "192.0.2.9"}, {1, 9, 2, "192.0.2.2"}})}};
    std::map<std::uint16_t, int> first;
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        const auto found = search("sip:w.example;transport=udp", weighted, {}, seed * 977);
        REQUIRE(found.targets.size() == 4);
        CHECK(found.targets.back().endpoint.port == 2);
        ++first[found.targets.front().endpoint.port];
    }
    CHECK(first[3] > 2 * first[1]);
    CHECK(first[3] < 4 * first[1] + 400);
    CHECK(first[9] > 0);
}

TEST_CASE("locate: a name system that does not answer is told from one that has no such name") {
    const Zone broken = {{"A host.example", {.naptr = {}, .srv = {}, .addresses = {}, .failed = true}}};
    CHECK(search("sip:host.example:5060", broken, {}).failed);
    CHECK_FALSE(search("sip:other.example:5060", broken, {}).failed);
}

TEST_CASE("locate: bounded, whatever the name system says") {
    Zone flood;
    for (std::uint16_t i = 0; i < 1000; ++i) {
        const std::string name = "h" + std::to_string(i) + ".example";
        flood["SRV _sip._udp.f.example"].srv.push_back({i, 0, 5060, name});
        for (std::uint32_t n = 0; n < 100; ++n) {
            flood["A " + name].addresses.push_back(IpAddress::v4(0x0a000000 + (std::uint32_t{i} << 8 | n)));
        }
    }
    std::vector<std::string> asked;
    CHECK(search("sip:f.example;transport=udp", flood, {}, 1, &asked).targets.size() == 16);
    CHECK(asked.size() == 9);
}
