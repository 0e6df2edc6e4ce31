#include "party.hpp"

#include <doctest/doctest.h>

#include "../../nat/places.hpp"

using namespace natkit;
using rewrite::Json;
using rewrite::Sender;
using sdp::Setup;
namespace places = natkit::nat::test;

namespace {

dialog::Described described(const std::string& text, bool offers = true) {
    const auto document = sdp::Document::parse(text).value();
    return dialog::describe(document, document.media().front(), offers);
}

Endpoint at(const char* address) {
    return {.address = IpAddress::parse(address).value(), .port = 5060};
}

std::string setup_of(const std::optional<Setup>& setup) {
    return setup ? sdp::to_string(*setup) : "none";
}

}  // namespace

TEST_CASE("where a party is for a stream: sdprewrite has the rule of all programs") {
    const nat::Networks networks = places::networks_of_places();
    for (const places::PlaceCase& c : places::place_cases) {
        CAPTURE(c.why);
        const Sender sender{
            .source = at(c.visible), .destination = at(places::other_party), .place = nat::to_string(c.place)};
        const dialog::Described said = described(places::description_of(c));
        CHECK(party_of(sender, said, networks)["place"] == nat::to_string(c.want));
        CHECK(party_of(sender, said, networks)["visible"] == c.visible);
        const Json own = side_of_leg(sender, true, said, networks);
        CHECK(own["side"] == (c.want == nat::Place::lan ? "lan" : "wan"));
        CHECK(own["family"] == to_string(c.family));
        const Json other = side_of_leg(sender, false, said, networks);  // who has said nothing of its media yet
        CHECK(other["side"] == "wan");
        CHECK(other["family"] == "ipv4");
        const auto where = rewrite::where(sender, said, networks);
        REQUIRE(where);
        const nat::Whereabouts callee{.place = nat::Place::wan, .visible = at(places::other_party).address};
        CHECK(nat::decide(*where, callee, {}, networks) == places::decision_of(c, {}));
    }
}

TEST_CASE("rewrite::party_of: what the input does not say, the relay finds out") {
    const nat::Networks networks = places::networks_of_places();
    const dialog::Described said = described(places::description_of(places::place_cases[0]));
    CHECK(rewrite::party_of(Sender{}, said, networks).dump() ==
          R"({"endpoint":"203.0.113.20:4000","rtcp":"203.0.113.20:4001"})");
    CHECK_FALSE(rewrite::where(Sender{}, said, networks));
    CHECK(rewrite::side_of_leg({.source = at("192.168.10.20")}, true, said, networks)["side"] == "lan");
    CHECK(rewrite::side_of_leg(Sender{}, true, described(places::description_of(places::place_cases[8])),
                               networks)["family"] == "ipv6");
    CHECK(rewrite::party_of({.place = "no place"}, said, networks)["place"] == "no place");  // it will refuse that
}

TEST_CASE("rewrite::shown_setup: who cannot be connected to connects") {
    struct Case {
        const char* why;
        const char* sender;
        const char* other;    ///< as the relay was told; empty: not yet
        const char* offered;  ///< by the other one; empty: the sender offers
        const char* said;
        const char* shown;
    };
    const Case cases[] = {
        {"as offered", "wan", "", "", "active", "active"},
        {"the choice is the other one's", "wan", "", "", "actpass", "actpass"},
        {"who offers is behind a NAT", "far-end", "", "", "actpass", "active"},
        {"who is asked is behind a NAT", "wan", "far-end", "", "actpass", "passive"},
        {"as answered", "wan", "wan", "actpass", "active", "active"},
        {"who offered is behind a NAT", "wan", "far-end", "actpass", "active", "passive"},
        {"an answer fits what was offered", "wan", "wan", "passive", "passive", "active"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const bool offers = *c.offered == 0;
        const Sender sender{.source = at("203.0.113.20"), .destination = at("203.0.113.30"), .place = c.sender};
        Json other;
        if (*c.other != 0) other["place"] = c.other;
        if (!offers) other["setup"] = c.offered;
        const dialog::Described said = described(
            "v=0\r\no=- 1 1 IN IP4 203.0.113.20\r\ns=-\r\nc=IN IP4 203.0.113.20\r\nt=0 0\r\n"
            "m=application 4000 TCP/BFCP *\r\na=setup:" +
                std::string(c.said) + "\r\n",
            offers);
        CHECK(setup_of(shown_setup(sender, offers, said, other, places::networks_of_places())) == c.shown);
    }
    CHECK_FALSE(
        rewrite::shown_setup(Sender{}, true, described(places::description_of(places::place_cases[0])), {}, {}));
}

TEST_CASE("rewrite::is_known: a party is told again where anything is different") {
    const Json told = {{"place", "wan"}, {"endpoint", "192.0.2.1:4000"}};
    CHECK(rewrite::is_known(told, told));
    CHECK(rewrite::is_known({{"endpoint", "192.0.2.1:4000"}, {"place", "wan"}, {"site", "192.0.2.1"}}, told));
    CHECK_FALSE(rewrite::is_known(Json(), told));
    CHECK_FALSE(rewrite::is_known({{"place", "wan"}, {"endpoint", "192.0.2.1:5000"}}, told));
    CHECK_FALSE(rewrite::is_known({{"place", "wan"}, {"endpoint", "192.0.2.1:4000"}, {"setup", "active"}}, told));
    CHECK_FALSE(rewrite::is_known({{"place", "wan"}}, told));
    CHECK(rewrite::is_known(told, {{"endpoint", "192.0.2.1:4000"}}));  // the relay has found out the place
}
