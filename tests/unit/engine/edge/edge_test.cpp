#include "signalling/edge.hpp"

#include "world.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

TEST_CASE("a LAN phone calls a phone behind a NAT: one relay, no private address on the WAN") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone);
    REQUIRE_FALSE(invite.empty());
    CHECK(invite.starts_with("INVITE sip:nora@192.168.1.5:5060 SIP/2.0"));
    CHECK(invite.find("c=IN IP4 203.0.113.10\r\n") != std::string::npos);
    CHECK(invite.find("o=alice 1 1 IN IP4 203.0.113.10") != std::string::npos);
    CHECK(invite.substr(invite.find("\r\n\r\n")).find("192.168.") == std::string::npos);
    CHECK(header(invite, "Via").starts_with("SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKne"));
    CHECK(world.decisions == 1);
    CHECK(world.legs.size() == 2);

    world.receive(nat_phone, nat_phone.response(invite, 180, ""));
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 180").empty());
    world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    const std::string ok = world.to(lan_phone, "SIP/2.0 200");
    CHECK(ok.find("c=IN IP4 192.168.10.1\r\n") != std::string::npos);
    CHECK(world.joins.size() == 1);
    CHECK(sip::Message::parse(ok)->values(sip::Name::via).size() == 1);

    SUBCASE("ACK and BYE from the caller find the flow by the token") {
        const std::string in_dialog = routes(ok, true);
        world.receive(lan_phone, lan_phone.request("ACK", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", in_dialog, ""));
        const std::string ack = world.to(nat_phone, "ACK sip:nora@192.168.1.5:5060");
        REQUIRE_FALSE(ack.empty());
        CHECK(ack.find("Route:") == std::string::npos);
        world.receive(lan_phone, lan_phone.request("BYE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", in_dialog, "", 2));
        const std::string bye = world.to(nat_phone, "BYE");
        REQUIRE_FALSE(bye.empty());
        world.receive(nat_phone, nat_phone.response(bye, 200, ""));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
        CHECK(world.legs.empty());
        CHECK(world.edge.media().size() == 0);
    }
    SUBCASE("BYE from the callee, from another port of its NAT") {
        Phone moved = nat_phone;
        moved.flow.remote.port = 40777;
        world.receive(moved, moved.request("BYE", "sip:alice@192.168.10.20:5060", "<sip:alice@example.com>;tag=alice",
                                           routes(invite, false), "", 2));
        const std::string bye = world.to(lan_phone, "BYE sip:alice@192.168.10.20:5060");
        REQUIRE_FALSE(bye.empty());
        CHECK(header(bye, "Via").starts_with("SIP/2.0/UDP 192.168.10.1:5060"));
        world.receive(lan_phone, lan_phone.response(bye, 200, ""));
        CHECK_FALSE(world.to(moved, "SIP/2.0 200").empty());
        CHECK(world.legs.empty());
    }
    SUBCASE("a token works for its dialog only") {
        std::string forged = nat_phone2.request("BYE", "sip:alice@192.168.10.20:5060",
                                                "<sip:alice@example.com>;tag=alice", routes(invite, false), "", 2);
        world.receive(nat_phone2, forged);
        CHECK_FALSE(world.to(nat_phone2, "SIP/2.0 403").empty());
        forged.replace(forged.find("call-1"), 6, "call-2");
        forged.replace(forged.find("nedBYE"), 6, "nedBYF");
        world.receive(nat_phone, forged);
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 403").empty());
        CHECK(world.legs.size() == 2);
    }
    SUBCASE("hold by c=0.0.0.0 (RFC 2543) sends nobody there") {
        std::string hold = lan_phone.sdp();
        hold.replace(hold.find("c=IN IP4 192.168.10.20"), 22, "c=IN IP4 0.0.0.0");
        world.receive(lan_phone, lan_phone.request("INVITE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", routes(ok, true), hold, 3));
        const std::string again = world.to(nat_phone, "INVITE");
        CHECK(again.find("c=IN IP4 0.0.0.0") != std::string::npos);
        world.updates.clear();
        world.receive(nat_phone, nat_phone.response(again, 200, nat_phone.sdp()));
        REQUIRE(world.updates.size() == 2);
        for (const UpdateLeg& update : world.updates) {
            CHECK(update.party.endpoint.value().address != IpAddress());
            CHECK(update.hold);
        }
    }
    SUBCASE("a re-INVITE keeps the ports; a refused one changes nothing") {
        const std::string hold = lan_phone.sdp() + "a=sendonly\r\n";
        world.receive(lan_phone, lan_phone.request("INVITE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", routes(ok, true), hold, 3));
        const std::string again = world.to(nat_phone, "INVITE");
        CHECK(again.find("m=audio 20002 ") == invite.find("m=audio 20002 ") + (again.size() - invite.size() - 12));
        world.receive(nat_phone, nat_phone.response(again, 488, ""));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 488").empty());
        CHECK(world.legs.size() == 2);
        CHECK(world.edge.media().size() == 1);
    }
}

TEST_CASE("two phones with one private address behind two NATs") {
    World world;
    world.add(nat_phone);
    world.add(nat_phone2);
    const std::string invite = world.invite(nat_phone, nat_phone2);
    REQUIRE_FALSE(invite.empty());
    CHECK(invite.substr(invite.find("\r\n\r\n")).find("192.168.") == std::string::npos);
    world.receive(nat_phone2, nat_phone2.response(invite, 200, nat_phone2.sdp()));
    const std::string ok = world.to(nat_phone, "SIP/2.0 200");
    CHECK(ok.substr(ok.find("\r\n\r\n")).find("192.168.") == std::string::npos);
    CHECK(world.legs.size() == 2);
}

TEST_CASE("two WAN phones need no relay: the SDP passes untouched") {
    World world;
    world.add(wan_phone);
    Phone other = wan_phone;
    other.name = "walter";
    other.address = "203.0.113.21:5060";
    other.flow.remote = endpoint("203.0.113.21:5060");
    world.add(other);
    const std::string invite = world.invite(wan_phone, other);
    CHECK(invite.ends_with(wan_phone.sdp()));
    CHECK(world.legs.empty());
    CHECK(sip::Message::parse(invite)->values(sip::Name::record_route).size() == 1);
}

TEST_CASE("an offer in the 200 and its answer in the ACK") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone, false);
    REQUIRE_FALSE(invite.empty());
    CHECK(world.legs.empty());
    world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    const std::string ok = world.to(lan_phone, "SIP/2.0 200");
    CHECK(ok.find("c=IN IP4 192.168.10.1\r\n") != std::string::npos);
    world.receive(lan_phone, lan_phone.request("ACK", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                               routes(ok, true), lan_phone.sdp()));
    const std::string ack = world.to(nat_phone, "ACK");
    CHECK(ack.find("c=IN IP4 203.0.113.10\r\n") != std::string::npos);
    CHECK(world.joins.size() == 1);
}

TEST_CASE("busy, cancelled, silent: nothing is left") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone);
    REQUIRE(world.legs.size() == 2);
    SUBCASE("486") {
        world.receive(nat_phone, nat_phone.response(invite, 486, ""));
        CHECK(world.sent.front().bytes->starts_with("ACK"));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 486").empty());
    }
    SUBCASE("CANCEL waits for a provisional response") {
        const std::string uri = "sip:nora@example.com";
        std::string cancel = lan_phone.request("CANCEL", uri, "<" + uri + ">", "", "");
        cancel.replace(cancel.find("aliceCANCEL1"), 12, "aliceINVITE1");
        world.receive(lan_phone, cancel);
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
        CHECK(world.to(nat_phone, "CANCEL").empty());
        world.receive(nat_phone, nat_phone.response(invite, 180, ""));
        const std::string passed_on = world.to(nat_phone, "CANCEL sip:nora@192.168.1.5:5060");
        REQUIRE_FALSE(passed_on.empty());
        CHECK(header(passed_on, "Via") == header(invite, "Via"));
        world.receive(nat_phone, nat_phone.response(passed_on, 200, ""));
        world.receive(nat_phone, nat_phone.response(invite, 487, ""));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 487").empty());
    }
    SUBCASE("silence ends with 408") {
        world.pass(33s);
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 408").empty());
    }
    CHECK(world.legs.empty());
    CHECK(world.edge.media().size() == 0);
    world.pass(400s);
    CHECK(world.edge.transactions() == 0);
}

TEST_CASE("both phones of a user ring; one answers, the other is cancelled") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    Phone desk = wan_phone;
    desk.name = "nora";
    world.receive(desk,
                  desk.request("REGISTER", "sip:example.com", "<sip:nora@example.com>", "Expires: 600\r\n", "", 2));
    world.sent.clear();
    const std::string uri = "sip:nora@example.com";
    world.receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">", "", lan_phone.sdp()));
    std::string at_desk;
    std::string at_home;
    for (const sip::Packet& packet : world.sent) {
        if (packet.bytes->starts_with("INVITE")) (packet.flow == desk.flow ? at_desk : at_home) = *packet.bytes;
    }
    REQUIRE_FALSE(at_desk.empty());
    REQUIRE_FALSE(at_home.empty());
    CHECK(world.legs.size() == 4);
    world.receive(nat_phone, nat_phone.response(at_home, 180, ""));
    world.receive(desk, desk.response(at_desk, 200, desk.sdp()));
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
    CHECK_FALSE(world.to(nat_phone, "CANCEL").empty());
    world.receive(nat_phone, nat_phone.response(at_home, 487, ""));
    CHECK(world.legs.size() == 2);
    CHECK(world.joins.size() == 1);
}

TEST_CASE("no port left: 503, and the call can be tried again") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    world.relay_works = false;
    CHECK(world.invite(lan_phone, nat_phone).empty());
    CHECK(world.edge.media().size() == 0);
}

TEST_CASE("other lists put registered clients elsewhere, without a new REGISTER") {
    World world;
    world.add(lan_phone);
    world.add(wan_phone);
    world.add(nat_phone);
    Settings other = settings();
    other.networks.nat_servers = RangeSet({IpRange::parse("203.0.113.0/24").value()});
    CHECK(world.edge.place_changes(settings().networks).empty());
    const auto changes = world.edge.place_changes(other.networks);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].binding.verdict.rule == nat::Rule::wan);
    CHECK(changes[0].now.rule == nat::Rule::nat_server);
    Output out;
    world.edge.set_settings(other, world.now, out);
    REQUIRE(out.events.size() == 2);  // a line in the log, and what natpinger and the state are told
    const auto& change = std::get<sip::BindingChange>(out.events[1]);
    CHECK(change.kind == sip::BindingChange::Kind::updated);
    CHECK(change.binding.aor == "wendy@example.com");
    CHECK(change.binding.verdict.place == nat::Place::far_end);
    Output back;
    world.edge.set_settings(settings(), world.now, back);
    CHECK(back.events.size() == 2);
    // A client behind a NAT stays there when its evidence was forgotten in a restart.
    sip::Binding forgetful = world.edge.registrar().lookup("nora@example.com", {}).front();
    CHECK(forgetful.verdict.rule == nat::Rule::nated);
    Edge restarted(settings(), {[] { return std::string("1"); },
                                [](std::span<const std::uint8_t>) { return std::array<std::uint8_t, 32>{}; }});
    forgetful.verdict.claimed.reset();
    forgetful.contact = "sip:nora@phone.example.org";
    restarted.restore(forgetful, {});
    CHECK(restarted.place_changes(settings().networks).empty());
}

TEST_CASE("a registration survives by restore(), a dead client goes") {
    World world;
    world.add(nat_phone);
    World second;
    second.edge.restore(world.edge.registrar().all().at(0), second.now.wall);
    second.add(lan_phone);
    CHECK_FALSE(second.invite(lan_phone, nat_phone).empty());
    Output out;
    second.edge.on_client_dead(second.edge.registrar().lookup("nora@example.com", second.now.wall).at(0).id, "test",
                               second.now, out);
    CHECK_FALSE(second.edge.registrar().knows("nora@example.com"));
}

TEST_CASE("the reasons of a decision are never empty: without an offer yet, and of a call whose state has none") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    REQUIRE_FALSE(world.invite(lan_phone, nat_phone, false).empty());
    auto calls = world.edge.media().summaries();
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].decision ==
          nat::Decision{.relay = true, .reasons = {nat::Reason::lan_and_other, nat::Reason::far_end_nat}});

    World first;
    first.add(lan_phone);
    first.add(nat_phone);
    const std::string invite = first.invite(lan_phone, nat_phone);
    first.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    REQUIRE(first.kept.size() == 1);
    SessionState before = first.kept.begin()->second;
    before.reasons.clear();
    World second;
    second.edge.media().remember(before);
    (void)second.edge.media().restore(second.now.steady);
    calls = second.edge.media().summaries();
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].decision == first.edge.media().summaries()[0].decision);
}

TEST_CASE("an established call goes on in a restarted edge: re-INVITE keeps its ports, BYE frees its legs") {
    World first;
    first.add(lan_phone);
    first.add(nat_phone);
    const std::string invite = first.invite(lan_phone, nat_phone);
    first.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    const std::string ok = first.to(lan_phone, "SIP/2.0 200");
    REQUIRE(first.kept.size() == 1);

    World second;
    second.legs = first.legs;
    second.edge.media().remember(first.kept.begin()->second);
    CHECK(second.edge.media().restore(second.now.steady).size() == 2);
    second.edge.media().remember(first.kept.begin()->second);
    CHECK(second.edge.media().restore(second.now.steady).empty());
    REQUIRE(second.edge.media().summaries().size() == 1);
    CHECK(second.edge.media().summaries()[0].decision == first.edge.media().summaries()[0].decision);
    CHECK(second.edge.media().summaries()[0].callee.verdict.claimed == endpoint("192.168.1.5:1").address);
    second.receive(lan_phone,
                   lan_phone.request("INVITE", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                     routes(ok, true), lan_phone.sdp(), 2));
    const std::string again = second.to(nat_phone, "INVITE");
    CHECK(again.substr(again.find("\r\n\r\n")) == invite.substr(invite.find("\r\n\r\n")));
    second.receive(nat_phone, nat_phone.response(again, 200, nat_phone.sdp()));
    CHECK(second.joins.empty());
    second.receive(nat_phone, nat_phone.request("BYE", "sip:alice@192.168.10.20:5060",
                                                "<sip:alice@example.com>;tag=alice", routes(invite, false), "", 2));
    second.receive(lan_phone, lan_phone.response(second.to(lan_phone, "BYE"), 200, ""));
    CHECK(second.legs.empty());
    CHECK(second.edge.media().size() == 0);
}
