#include "natkit/rtpproxy/command.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::rtpproxy;

namespace {

Endpoint at(std::string_view text) {
    return *Endpoint::parse(text);
}

IpAddress ip(std::string_view text) {
    return *IpAddress::parse(text);
}

}  // namespace

TEST_CASE("rtpproxy::parse_command: what the proxies send") {
    struct Case {
        const char* why;
        const char* line;
        Command want;
    };
    const Tag f{.text = "f", .stream = 1};
    const Tag t{.text = "t", .stream = 1};
    const Case cases[] = {
        {"the version", "V", {.verb = Verb::version}},
        {"a part of the protocol", "VF 20050322", {.verb = Verb::feature, .feature = "20050322"}},
        {"an offer, with codecs",
         "Uc0,101 call 192.0.2.1 40000 f;1",
         {.verb = Verb::update, .call_id = "call", .from = f, .remote = at("192.0.2.1:40000")}},
        {"an answer",
         "Lc0,101 call 192.0.2.2 40002 f;1 t;1",
         {.verb = Verb::lookup, .call_id = "call", .from = f, .to = t, .remote = at("192.0.2.2:40002")}},
        {"a branch is of the Call-ID",
         "U call;z9hG4bK1 192.0.2.1 40000 f;2",
         {.verb = Verb::update,
          .call_id = "call;z9hG4bK1",
          .from = {.text = "f", .stream = 2},
          .remote = at("192.0.2.1:40000")}},
        {"IPv6",
         "U6 call 2001:db8::1 40000 f;1",
         {.verb = Verb::update,
          .call_id = "call",
          .from = f,
          .remote = at("[2001:db8::1]:40000"),
          .family = Family::ipv6}},
        {"a bridge, and all small letters",
         "UEIawn call 192.0.2.1 40000 f;1",
         {.verb = Verb::update,
          .call_id = "call",
          .from = f,
          .remote = at("192.0.2.1:40000"),
          .asymmetric = true,
          .weak = true,
          .new_port = true,
          .interfaces = {Interface::external, Interface::internal}}},
        {"the last of a and s",
         "UAS call 192.0.2.1 40000 f;1",
         {.verb = Verb::update, .call_id = "call", .from = f, .remote = at("192.0.2.1:40000")}},
        {"a packet time is read over",
         "Uz20 call 192.0.2.1 40000 f;1",
         {.verb = Verb::update, .call_id = "call", .from = f, .remote = at("192.0.2.1:40000")}},
        {"addresses among the letters",
         "Ul203.0.113.1r[2001:db8::9]s call 192.0.2.1 40000 f;1",
         {.verb = Verb::update,
          .call_id = "call",
          .from = f,
          .remote = at("192.0.2.1:40000"),
          .local = ip("203.0.113.1"),
          .facing = ip("2001:db8::9")}},
        {"an address by its name",
         "Ul{pub}a call 192.0.2.1 40000 f;1",
         {.verb = Verb::update,
          .call_id = "call",
          .from = f,
          .remote = at("192.0.2.1:40000"),
          .asymmetric = true,
          .local_label = "pub"}},
        {"on hold",
         "U call 0.0.0.0 40000 f;1 t;1",
         {.verb = Verb::update, .call_id = "call", .from = f, .to = t, .on_hold = true}},
        {"where to tell of time-outs is read over",
         "U call 192.0.2.1 40000 f;1 t;1 unix:/run/x tag",
         {.verb = Verb::update, .call_id = "call", .from = f, .to = t, .remote = at("192.0.2.1:40000")}},
        {"the end of a call",
         "D call f t\n",
         {.verb = Verb::remove, .call_id = "call", .from = {.text = "f"}, .to = Tag{.text = "t"}}},
        {"weakly", "Dw call f", {.verb = Verb::remove, .call_id = "call", .from = {.text = "f"}, .weak = true}},
        {"a semicolon of the tag's own",
         "D call a;b;x 0;0",
         {.verb = Verb::remove, .call_id = "call", .from = {.text = "a;b;x"}, .to = Tag{.text = "0;0"}}},
        {"counters", "Q call f;1 t;1", {.verb = Verb::query, .call_id = "call", .from = f, .to = t}},
        {"counters by name",
         "Qv call f;1 t;1 ttl nrelayed",
         {.verb = Verb::query,
          .call_id = "call",
          .from = f,
          .to = t,
          .verbose = true,
          .counters = {"ttl", "nrelayed"}}},
        {"totals", "Ib", {.verb = Verb::info}},
        {"all calls", "X", {.verb = Verb::remove_all}},
        {"small letters and spaces",
         "  d  call   f  \r\n",
         {.verb = Verb::remove, .call_id = "call", .from = {.text = "f"}}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto command = parse_command(c.line);
        REQUIRE_MESSAGE(command.has_value(), command.error().message);
        CHECK(*command == c.want);
    }
}

TEST_CASE("rtpproxy::parse_command: what it refuses, by rtpproxy's numbers") {
    struct Case {
        const char* why;
        std::string line;
        int number;
    };
    const Case cases[] = {
        {"nothing", "", 5},
        {"nobody's command", "Z call", 0},
        {"recording", "R call f", 0},
        {"playing", "P call x session f", 0},
        {"too few words", "U call 192.0.2.1 40000", 1},
        {"too many words", "D call f t x", 1},
        {"a version with words", "V 20040107", 1},
        {"modifiers where there are none", "Vx", 2},
        {"two commands in one", "U call 192.0.2.1 40000 f;1 && S", 3},
        {"an unknown modifier", "Uk call 192.0.2.1 40000 f;1", 35},
        {"three sides", "Ueie call 192.0.2.1 40000 f;1", 11},
        {"three sides", "Ueii call 192.0.2.1 40000 f;1", 12},
        {"no packet time", "Uz call 192.0.2.1 40000 f;1", 13},
        {"a packet time of a second", "Uz1000 call 192.0.2.1 40000 f;1", 13},
        {"no codecs", "Uca call 192.0.2.1 40000 f;1", 14},
        {"no address to give", "Ulx call 192.0.2.1 40000 f;1", 15},
        {"a name without an end", "Ul{x call 192.0.2.1 40000 f;1", 15},
        {"no address to face", "Ur[::1 call 192.0.2.1 40000 f;1", 16},
        {"an address of the other family", "U call 2001:db8::1 40000 f;1", 37},
        {"a name for an address", "U call phone.example 40000 f;1", 37},
        {"no port", "U call 192.0.2.1 70000 f;1", 37},
        {"an unknown modifier of D", "Dx call f", 8},
        {"an unknown modifier of Q", "Qx call f", 19},
        {"a zero byte", std::string("D call\0f f", 10), 5},
        {"no end", "D call " + std::string(9000, 'f'), 25},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto command = parse_command(c.line);
        REQUIRE_FALSE(command.has_value());
        CHECK(command.error().number == c.number);
        CHECK_FALSE(command.error().message.empty());
    }
}

TEST_CASE("rtpproxy: replies") {
    CHECK(port_reply(at("203.0.113.1:40000")) == "40000 203.0.113.1\n");
    CHECK(port_reply(at("[2001:db8::1]:40000")) == "40000 2001:db8::1 6\n");
    CHECK(number_reply(0) == "0\n");
    CHECK(error_reply(unknown_session) == "E50\n");
    CHECK(knows_feature("20050322"));
    CHECK_FALSE(knows_feature("20071116"));
    CHECK_FALSE(knows_feature("20081224"));
}
