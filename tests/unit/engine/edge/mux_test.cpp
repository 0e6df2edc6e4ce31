#include "call.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

constexpr const char* mux = "a=rtcp-mux\r\n";

/// An offer inside the dialog and its answer.
void again(Call& call, int version, const char* offered, const char* answered) {
    call.world.updates.clear();
    const std::string invite = call.send(lan_phone, "INVITE", sdp_of(lan_phone, version, offered));
    REQUIRE_FALSE(invite.empty());
    REQUIRE_FALSE(call.answer(lan_phone, invite, 200, sdp_of(wan_phone, version, answered)).empty());
}

/// Both legs were told `on`, or neither anything.
void check_told(const World& world, std::optional<bool> on) {
    std::size_t told = 0;
    for (const UpdateLeg& update : world.updates) {
        told += update.mux ? 1 : 0;
        if (update.mux) CHECK(update.mux == on);
    }
    CHECK(told == (on ? 2 : 0));
}

}  // namespace

TEST_CASE("RFC 5761: RTCP is on the RTP ports while both ends say so") {
    World world;
    Call call(world, lan_phone, wan_phone);
    world.receive(lan_phone, lan_phone.request("INVITE", "sip:wendy@example.com", "<sip:wendy@example.com>", "",
                                               lan_phone.sdp() + mux));
    call.invite = world.to(wan_phone, "INVITE");
    REQUIRE(world.opened.size() == 2);
    CHECK(world.opened[0].mux);
    CHECK(world.opened[1].mux);
    // Refused: RTCP goes beside RTP, to both.
    REQUIRE_FALSE(call.back(call.invite, 200, wan_phone.sdp()).empty());
    check_told(world, false);
    for (const UpdateLeg& update : world.updates) {
        REQUIRE(update.party.endpoint);
        REQUIRE(update.party.rtcp);
        CHECK(update.party.rtcp->port == update.party.endpoint->port + 1);
    }
    again(call, 2, mux, "");
    check_told(world, {});
    again(call, 3, mux, mux);
    check_told(world, true);
    again(call, 4, "", "");
    check_told(world, false);
}
