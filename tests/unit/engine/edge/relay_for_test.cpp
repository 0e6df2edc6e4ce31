// [media_proxy] relay_for: calls that are relayed in any case, by an address or by a domain.
#include <nlohmann/json.hpp>

#include "call.hpp"
#include "records/state.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

TEST_CASE("relay_for: a call between two phones on the WAN is relayed where it names one of them") {
    const Phone other_wan_phone{"walt", "203.0.113.21:5060", flow("udp:203.0.113.10:5060-203.0.113.21:5060"),
                                Side::wan};
    struct Case {
        const char* why;
        nat::RelayFor relay_for;
        bool relayed;
    };
    const Case cases[] = {
        {"nobody", {}, false},
        {"the domain of both", {.ranges = {}, .domains = {"example.com"}}, true},
        {"another domain", {.ranges = {}, .domains = {"conf.example.com"}}, false},
        {"the caller's address", {.ranges = RangeSet({IpRange::parse("203.0.113.20").value()}), .domains = {}}, true},
        {"the callee's address", {.ranges = RangeSet({IpRange::parse("203.0.113.21").value()}), .domains = {}}, true},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Settings chosen = settings();
        chosen.media_policy.relay_for = c.relay_for;
        World world(chosen);
        Call call(world, wan_phone, other_wan_phone);
        call.ring();
        CHECK((body_of(call.invite).find("c=IN IP4 203.0.113.10") != std::string::npos) == c.relayed);
        const std::string ok = call.back(call.invite, 200, other_wan_phone.sdp());
        CHECK((body_of(ok).find("c=IN IP4 203.0.113.10") != std::string::npos) == c.relayed);
    }
}

TEST_CASE("relay_for: that its domain is named is known after a restart") {
    for (const bool asked_for : {false, true}) {
        SessionState state{.call_id = "c",
                           .payer = {},
                           .ends = {EndInfo{.flow = wan_phone.flow, .verdict = {}, .tag = "a", .asked_for = asked_for},
                                    EndInfo{.flow = lan_phone.flow, .verdict = {}, .tag = "b"}},
                           .token = {},
                           .told = {},
                           .streams = {},
                           .reasons = {}};
        const auto text = state_text(state);
        REQUIRE(text);
        const auto read = read_state(nlohmann::ordered_json::parse(*text));
        REQUIRE(read);
        CHECK(read->ends[0].asked_for == asked_for);
        CHECK_FALSE(read->ends[1].asked_for);
    }
}
