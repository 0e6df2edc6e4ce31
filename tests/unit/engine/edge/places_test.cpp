// Where a party is for one of its streams, as mediarelay is told of it and as the decision has it.
#include "../../nat/places.hpp"

#include "media/media.hpp"
#include "world.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;
namespace places = natkit::nat::test;

TEST_CASE("where a party is for a stream: sipedge has the rule of all programs") {
    for (const places::PlaceCase& c : places::place_cases) {
        CAPTURE(c.why);
        Settings chosen = settings();
        chosen.networks = places::networks_of_places();
        chosen.media_policy.relay_for.ranges = RangeSet({IpRange::parse(places::other_party).value()});  // always
        Media media(chosen);
        const auto end = [&](const char* visible, nat::Place place, const char* tag) {
            sip::Flow by = wan_phone.flow;
            by.remote = {.address = IpAddress::parse(visible).value(), .port = 5060};
            nat::Verdict party = nat::classify_address(by.remote.address, chosen.networks);
            party.place = place;
            return EndInfo{.flow = by, .verdict = party, .tag = tag};
        };
        const Instant now{};
        const SessionId id =
            media.create("c", end(c.visible, c.place, "a"), end(places::other_party, nat::Place::wan, "b"), now);
        Output out;
        CHECK_FALSE(
            media.offer(id, {.offerer = End::caller, .owner = 1, .cseq = 1}, places::description_of(c), 1, now, out));
        std::size_t found = 0;
        for (const MediaRequest& request : out.media) {
            const auto* open = std::get_if<OpenLeg>(&request);
            if (open == nullptr || open->party.visible != IpAddress::parse(c.visible).value()) continue;
            ++found;
            CHECK(open->party.place == c.want);
            CHECK(open->family == c.family);
            CHECK((open->side == Side::lan) == (c.want == nat::Place::lan));
        }
        CHECK(found == 1);
        REQUIRE(out.events.size() == 1);
        CHECK(std::get<DecisionEvent>(out.events.front()).decision == places::decision_of(c, chosen.media_policy));
    }
}
