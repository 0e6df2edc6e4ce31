// Where a party is for one of its streams, as the offline programs decide by it.
#include "../../nat/places.hpp"

#include <doctest/doctest.h>

#include "natkit/engine/explain/decide_call.hpp"

using namespace natkit;
using namespace natkit::explain;
namespace places = natkit::nat::test;

TEST_CASE("where a party is for a stream: the offline programs have the rule of all programs") {
    for (const places::PlaceCase& c : places::place_cases) {
        CAPTURE(c.why);
        const auto seen = [](const char* visible, nat::Place place) {
            const IpAddress address = IpAddress::parse(visible).value();
            record::Nat nat{.verdict = nat::classify_address(address, places::networks_of_places()),
                            .received = address,
                            .evidence = {},
                            .nat_uac_test = {},
                            .alg = {}};
            nat.verdict.place = place;
            return nat;
        };
        const auto sdp = sdp::Document::parse(places::description_of(c)).value();
        Call call;
        call.caller = seen(c.visible, c.place);
        call.callee = seen(places::other_party, nat::Place::wan);
        call.descriptions.push_back({.writer = End::caller, .source = {}, .destination = {}, .method = "INVITE"});
        call.descriptions.back().streams.push_back(media_description(sdp, sdp.media().front()));
        const Rules rules{.networks = places::networks_of_places()};
        const auto decided = decide_call(call, rules);
        REQUIRE(decided);
        REQUIRE(decided->streams.size() == 1);
        CHECK(decided->streams.front().decision == places::decision_of(c, rules.policy));
    }
}
