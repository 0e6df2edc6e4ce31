#include "call_legs.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace natkit;
using rewrite::Call;
using rewrite::Json;

namespace {

Json listed(const std::string& id, const Json& kept) {
    return {{"type", "leg"},
            {"leg", id},
            {"state", "open"},
            {"stream", "rtp"},
            {"local", "192.0.2.1:4000"},
            {"rtcp", "192.0.2.1:4001"},
            {"hold", true},
            {"mux", true},
            {"owner_state", kept}};
}

Json page(std::initializer_list<Json> legs) {
    Json list = Json::array();
    for (const Json& leg : legs) list.push_back(leg);
    return {{"legs", std::move(list)}};
}

}  // namespace

TEST_CASE("rewrite::Call: what is kept with the legs is read as it was written") {
    Call call;
    call.revision = 7;
    call.state = {
        .first_tag = "a",
        .peer_tag = "b",
        .established = true,
        .branches = {"1f", "2f"},
        .offers = dialog::ObservedExchange({.exchange = {dialog::Offer{dialog::End::callee, 7, 1, true}, true},
                                            .crossed = dialog::Offer{dialog::End::caller, 9, 2},
                                            .late = 7,
                                            .answerer = 13,
                                            .fork = 17}),
        .described = {"1 INVITE request", ""}};
    rewrite::CallLeg leg{.id = "x1",
                         .kind = relay::Stream::rtp,
                         .local = {},
                         .rtcp = {},
                         .party = {},
                         .joined = {},
                         .stream = 3,
                         .side = 1,
                         .tag = "b",
                         .said_mux = true,
                         .opened_by = 9,
                         .changed_by = 11,
                         .agreed = {{"party", {{"place", "lan"}}}, {"hold", false}},
                         .kept = {}};
    const Json kept = owner_state(leg, &call);
    Call other;
    other.add(page({listed("x1", kept)}));
    REQUIRE(other.legs.size() == 1);
    CHECK(other.state == call.state);
    CHECK(other.revision == 7);
    CHECK(other.carrier == "x1");
    CHECK(other.legs[0].stream == 3);
    CHECK(other.legs[0].rtcp.has_value());
    CHECK(other.legs[0].hold);
    CHECK(other.legs[0].mux);
    CHECK(other.legs[0].said_mux);
    CHECK(owner_state(other.legs[0], &other) == kept);
    CHECK(other.legs[0].kept == kept.dump());
}

TEST_CASE(
    "rewrite::Call: of legs for the same end the oldest counts; strange ones are passed over; the newest state holds") {
    const auto state = [](unsigned revision, const char* tag) {
        return Json{{"revision", revision}, {"first_tag", tag}};
    };
    const auto kept = [](unsigned stream, unsigned side, unsigned opened_by = 0) {
        Json json = {{"stream", stream}, {"side", side}};
        if (opened_by != 0) json["opened_by"] = opened_by;
        return json;
    };
    Json oldest = kept(0, 0);
    oldest["call"] = state(3, "old");
    Json newer = kept(0, 1);
    newer["call"] = state(4, "new");
    Json second = kept(0, 0);
    second["call"] = state(9, "second");
    Json without_local = listed("no-local", kept(5, 0));
    without_local.erase("local");
    Call call;
    call.add(page({listed("a", oldest), listed("b", newer), listed("a2", second), listed("offered", kept(0, 0, 9)),
                   listed("side", kept(0, 2)), listed("text", "x"), listed("none", Json()), without_local, Json(5)}));
    REQUIRE(call.legs.size() == 3);
    CHECK(call.state.first_tag == "new");
    CHECK(call.carrier == "b");
    REQUIRE(call.surplus.size() == 1);
    CHECK(call.surplus[0] == "a2");
    REQUIRE(call.find(0, 0, relay::Stream::rtp) != nullptr);
    CHECK(call.find(0, 0, relay::Stream::rtp)->id == "offered");
    CHECK(call.find(0, 1, relay::Stream::rtp)->id == "b");
    CHECK(call.find(0, 0, relay::Stream::udp) == nullptr);
    CHECK(call.find(1, 0, relay::Stream::rtp) == nullptr);
    call.add(Json::array());
    call.add({{"legs", 5}});
    CHECK(call.legs.size() == 3);
}

TEST_CASE("rewrite::owner_state: with all that may be kept it stays below the 8 kB that mediarelay takes") {
    Call call;
    const std::string longest(64, 't');
    constexpr std::uint64_t most_number = std::numeric_limits<std::uint64_t>::max();
    const dialog::Offer most{dialog::End::callee, most_number, std::numeric_limits<std::uint32_t>::max(), true};
    call.state = {.first_tag = longest,
                  .peer_tag = longest,
                  .established = true,
                  .branches = {},
                  .offers = dialog::ObservedExchange({.exchange = {most, true},
                                                      .crossed = most,
                                                      .late = most_number,
                                                      .answerer = most_number,
                                                      .fork = most_number}),
                  .described = {longest + longest, longest + longest}};
    for (int i = 0; i < 64; ++i) call.state.branches.insert("0123456789abcd" + std::to_string(10 + i));
    const Json party = {
        {"place", "far-end"}, {"endpoint", longest}, {"rtcp", longest}, {"visible", longest}, {"site", longest}};
    const rewrite::CallLeg leg{.id = "x",
                               .kind = {},
                               .local = {},
                               .rtcp = {},
                               .party = {},
                               .joined = {},
                               .stream = 63,
                               .side = 1,
                               .tag = longest,
                               .said_mux = true,
                               .opened_by = most_number,
                               .changed_by = most_number,
                               .agreed = {{"party", party}, {"hold", true}},
                               .kept = {}};
    CHECK(owner_state(leg, &call).dump().size() < 4096);
}
