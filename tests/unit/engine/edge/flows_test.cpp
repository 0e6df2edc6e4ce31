#include "call.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

Phone at_port(const Phone& phone, std::uint16_t port) {
    Phone moved = phone;
    moved.flow.remote.port = port;
    return moved;
}

/// The SDP of a phone that names something else for its media.
std::string naming(const Phone& phone, const std::string& host, const std::string& port, const std::string& more = {}) {
    return "v=0\r\no=" + phone.name + " 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\nm=audio " +
           port + " RTP/AVP 0\r\n" + more;
}

}  // namespace

TEST_CASE("a request from another port of its sender's NAT: what is sent to it goes there from then on") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    const Phone moved = at_port(nat_phone, 40777);
    world.receive(moved, moved.request("INFO", "sip:alice@192.168.10.20:5060", "<sip:alice@example.com>;tag=alice",
                                       routes(call.invite, false), "", 5));
    const std::string info = world.to(lan_phone, "INFO");
    REQUIRE_FALSE(info.empty());
    world.receive(lan_phone, lan_phone.response(info, 200, ""));
    REQUIRE_FALSE(world.to(moved, "SIP/2.0 200").empty());
    CHECK(call.send(lan_phone, "INVITE", sdp_of(lan_phone, 2)).empty());  // not to the old port
    world.receive(lan_phone, lan_phone.request("BYE", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                               routes(call.reply, true), "", 30));
    CHECK_FALSE(world.to(moved, "BYE").empty());
    // After a restart too: it is kept.
    World second;
    second.edge.media().remember(world.kept.begin()->second);
    (void)second.edge.media().restore(second.now.steady);
    second.receive(lan_phone, lan_phone.request("INFO", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                                routes(call.reply, true), "", 40));
    CHECK_FALSE(second.to(moved, "INFO").empty());
}

TEST_CASE("a client that has registered by another flow is reached there in its calls") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    Phone elsewhere = nat_phone;
    elsewhere.flow = flow("udp:203.0.113.10:5060-198.51.100.99:41000");
    world.receive(elsewhere, elsewhere.request("REGISTER", "sip:example.com", "<sip:nora@example.com>",
                                               "Expires: 600\r\n", "", 2));
    REQUIRE_FALSE(world.to(elsewhere, "SIP/2.0 200").empty());
    world.receive(lan_phone, lan_phone.request("INVITE", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                               routes(call.reply, true), sdp_of(lan_phone, 2), 20));
    const std::string offer = world.to(elsewhere, "INVITE");
    REQUIRE(clean(offer, lan_phone));
    world.updates.clear();
    world.receive(elsewhere, elsewhere.response(offer, 200, sdp_of(nat_phone, 2)));
    CHECK(clean(world.to(lan_phone, "SIP/2.0 200"), nat_phone));
    CHECK(std::ranges::any_of(world.updates, [](const UpdateLeg& update) {
        return update.party.visible == endpoint("198.51.100.99:1").address;
    }));
    world.receive(elsewhere, elsewhere.request("BYE", "sip:alice@192.168.10.20:5060",
                                               "<sip:alice@example.com>;tag=alice", routes(call.invite, false), "", 9));
    const std::string bye = world.to(lan_phone, "BYE");
    REQUIRE_FALSE(bye.empty());
    world.receive(lan_phone, lan_phone.response(bye, 200, ""));
    CHECK(world.legs.empty());
}

TEST_CASE("a media address of the edge that is no leg the sender was shown: 488") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    const std::string uri = "sip:ned@example.com";
    world.add(nat_phone2);
    world.add(wan_phone);
    int n = 50;
    const auto refused = [&](const std::string& sdp) {
        const std::string invite = wan_phone.request("INVITE", uri, "<" + uri + ">", "", sdp, ++n);
        world.receive(wan_phone, invite);
        return !world.to(wan_phone, "SIP/2.0 488").empty();
    };
    CHECK(refused(naming(wan_phone, "203.0.113.10", "20002")));  // of the call that is there, which has its Call-ID
    CHECK(refused(naming(wan_phone, "203.0.113.10", "31000")));
    CHECK(refused(naming(wan_phone, "192.168.10.1", "31000")));
    CHECK(refused(naming(wan_phone, "203.0.113.20", "4000", "a=rtcp:31001 IN IP4 203.0.113.10\r\n")));
    CHECK_FALSE(refused(naming(wan_phone, "203.0.113.20", "4000", "a=rtcp:4005\r\n")));
    CHECK(world.joins.size() == 1);
}
