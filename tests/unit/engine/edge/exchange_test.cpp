#include "call.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

TEST_CASE("only the transaction of an offer closes its exchange") {
    World world;
    Call call(world, lan_phone, nat_phone);
    SUBCASE("a PRACK without a description, before the answer in the 200") {
        call.ring();
        REQUIRE_FALSE(call.reliable(180, "").empty());
        const std::string prack = call.send(lan_phone, "PRACK", {}, 0, "RAck: 1 1 INVITE\r\n");
        REQUIRE_FALSE(prack.empty());
        REQUIRE_FALSE(call.answer(lan_phone, prack, 200).empty());
        const std::string ok = call.back(call.invite, 200, nat_phone.sdp());
        CHECK(clean(ok, nat_phone));
        CHECK(world.joins.size() == 1);
    }
    SUBCASE("requests without an offer during a re-INVITE") {
        call.establish();
        const std::string again = call.send(lan_phone, "INVITE", sdp_of(lan_phone, 2, {}, 4010));
        REQUIRE_FALSE(again.empty());
        for (const char* method : {"INFO", "OPTIONS", "MESSAGE", "NOTIFY"}) {
            CAPTURE(method);
            const std::string between = call.send(nat_phone, method);
            REQUIRE_FALSE(between.empty());
            REQUIRE_FALSE(call.answer(nat_phone, between, 200).empty());
        }
        REQUIRE_FALSE(call.send(lan_phone, "ACK", {}, 1).empty());  // the first one's, repeated
        world.updates.clear();
        const std::string ok = call.answer(lan_phone, again, 200, sdp_of(nat_phone, 2, {}, 4020));
        CHECK(clean(ok, nat_phone));
        REQUIRE_FALSE(world.updates.empty());
        CHECK(std::ranges::any_of(world.updates, [](const UpdateLeg& update) {
            return update.party.endpoint == endpoint("192.168.1.5:4020");
        }));
    }
    SUBCASE("a re-INVITE without a description that fails after it was offered something") {
        call.establish();
        const std::string again = call.send(lan_phone, "INVITE");
        REQUIRE_FALSE(again.empty());
        const std::string offer = call.back(again, 183, sdp_of(nat_phone, 2), "Require: 100rel\r\nRSeq: 1\r\n");
        CHECK(clean(offer, nat_phone));
        REQUIRE_FALSE(call.back(again, 486, "").empty());
        const std::string next = call.send(lan_phone, "INVITE", sdp_of(lan_phone, 2));
        REQUIRE_FALSE(next.empty());
        CHECK(clean(call.answer(lan_phone, next, 200, sdp_of(nat_phone, 3)), nat_phone));
    }
}

TEST_CASE("an answer in a reliable response closes the exchange; UPDATE makes its own (RFC 3262, RFC 3311)") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.ring();
    SUBCASE("UPDATE of either end in the early dialog") {
        REQUIRE(clean(call.reliable(183, nat_phone.sdp()), nat_phone));
        CHECK(world.joins.size() == 1);
        for (const Phone* from : {&lan_phone, &nat_phone}) {
            const Phone& to = from == &lan_phone ? nat_phone : lan_phone;
            CAPTURE(from->name);
            const std::string update = call.send(*from, "UPDATE", sdp_of(*from, 2, "a=sendonly\r\n"));
            REQUIRE_FALSE(update.empty());
            CHECK(clean(update, *from));
            const std::string ok = call.answer(*from, update, 200, sdp_of(to, 2, "a=recvonly\r\n"));
            CHECK(clean(ok, to));
        }
        CHECK_FALSE(call.back(call.invite, 200, "").empty());
        CHECK(world.legs.size() == 2);
        CHECK(world.joins.size() == 1);
        CHECK(world.kept.size() == 1);
    }
    SUBCASE("a second offer while one is open: 491 from the other end, 500 from the same one") {
        REQUIRE_FALSE(call.reliable(180, "").empty());
        CHECK(call.send(nat_phone, "UPDATE", sdp_of(nat_phone, 2)).empty());
        CHECK(call.send(lan_phone, "UPDATE", sdp_of(lan_phone, 2)).empty());
        CHECK(call.send(nat_phone, "UPDATE", sdp_of(nat_phone, 2), 8).empty());
        CHECK(clean(call.back(call.invite, 200, nat_phone.sdp()), nat_phone));
        CHECK(world.joins.size() == 1);
    }
    SUBCASE("the statuses of glare") {
        REQUIRE_FALSE(call.reliable(180, "").empty());
        const std::string route = routes(call.reply, true);
        world.receive(lan_phone, lan_phone.request("UPDATE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", route, sdp_of(lan_phone, 2), 2));
        const std::string refused = world.to(lan_phone, "SIP/2.0 500");
        REQUIRE_FALSE(refused.empty());
        CHECK(std::stoi(header(refused, "Retry-After")) <= 10);
        world.receive(nat_phone,
                      nat_phone.request("UPDATE", "sip:alice@192.168.10.20:5060", "<sip:alice@example.com>;tag=alice",
                                        routes(call.invite, false), sdp_of(nat_phone, 2), 2));
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 491").empty());
    }
    SUBCASE("an answer in an unreliable response is a preview: media flow, and the 200 repeats it") {
        const std::string early = call.back(call.invite, 183, nat_phone.sdp());
        CHECK(clean(early, nat_phone));
        CHECK(world.joins.size() == 1);
        const std::string ok = call.back(call.invite, 200, nat_phone.sdp());
        CHECK(body_of(ok) == body_of(early));
        CHECK(world.joins.size() == 1);
        CHECK(world.legs.size() == 2);
    }
}

TEST_CASE("an offer in a reliable response, its answer in the PRACK, and a new offer in the next PRACK") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.ring(false);
    const std::string offer = call.reliable(183, nat_phone.sdp());
    CHECK(clean(offer, nat_phone));
    CHECK(body_of(call.reliable(183, nat_phone.sdp())) == body_of(offer));  // a copy
    CHECK(world.legs.size() == 2);
    const std::string prack = call.send(lan_phone, "PRACK", lan_phone.sdp(), 0, "RAck: 1 1 INVITE\r\n");
    CHECK(clean(prack, lan_phone));
    CHECK(world.joins.size() == 1);
    REQUIRE_FALSE(call.answer(lan_phone, prack, 200).empty());
    REQUIRE_FALSE(call.reliable(180, "", 2).empty());
    const std::string second = call.send(lan_phone, "PRACK", sdp_of(lan_phone, 2, {}, 4010), 0, "RAck: 2 1 INVITE\r\n");
    CHECK(clean(second, lan_phone));
    CHECK(clean(call.answer(lan_phone, second, 200, sdp_of(nat_phone, 2)), nat_phone));
    const std::string ok = call.back(call.invite, 200, sdp_of(nat_phone, 2));  // neither offer nor answer
    CHECK(clean(ok, nat_phone));
    REQUIRE_FALSE(call.send(lan_phone, "ACK", {}, 1).empty());
    CHECK(world.legs.size() == 2);
    CHECK(world.joins.size() == 1);
    const std::string bye = call.send(nat_phone, "BYE");
    REQUIRE_FALSE(call.answer(nat_phone, bye, 200).empty());
    CHECK(world.legs.empty());
}

TEST_CASE("copies of a 200 give the same bytes and change nothing") {
    World world;
    Call call(world, lan_phone, nat_phone);
    SUBCASE("that offers: the ACK answers once") {
        call.ring(false);
        const std::string ok = call.back(call.invite, 200, nat_phone.sdp());
        const std::size_t legs = world.legs.size();
        CHECK(body_of(call.back(call.invite, 200, nat_phone.sdp())) == body_of(ok));
        const std::string ack = call.send(lan_phone, "ACK", lan_phone.sdp(), 1);
        CHECK(clean(ack, lan_phone));
        CHECK(body_of(call.back(call.invite, 200, nat_phone.sdp())) == body_of(ok));
        CHECK(body_of(call.send(lan_phone, "ACK", lan_phone.sdp(), 1)) == body_of(ack));
        CHECK(world.legs.size() == legs);
        CHECK(world.joins.size() == 1);
        const std::string again = call.send(nat_phone, "INVITE", sdp_of(nat_phone, 2));
        CHECK(clean(again, nat_phone));
    }
    SUBCASE("that comes after a new offer: not its answer") {
        call.establish();
        const std::string again = call.send(lan_phone, "INVITE", sdp_of(lan_phone, 2, {}, 4010));
        REQUIRE_FALSE(again.empty());
        CHECK(clean(call.back(call.invite, 200, nat_phone.sdp()), nat_phone));
        CHECK(clean(call.back(call.invite, 200, sdp_of(nat_phone, 7, {}, 4444)), nat_phone));
        world.updates.clear();
        REQUIRE_FALSE(call.answer(lan_phone, again, 488).empty());
        for (const UpdateLeg& update : world.updates) CHECK(update.party.endpoint != endpoint("192.168.10.20:4010"));
        CHECK(clean(call.send(nat_phone, "INVITE", sdp_of(nat_phone, 2)), nat_phone));
    }
    SUBCASE("a late offer that the ACK does not answer") {
        call.ring(false);
        REQUIRE_FALSE(call.back(call.invite, 200, nat_phone.sdp()).empty());
        REQUIRE_FALSE(call.send(lan_phone, "ACK", {}, 1).empty());
        CHECK(world.legs.empty());
        CHECK(clean(call.send(lan_phone, "INVITE", lan_phone.sdp()), lan_phone));
    }
}

TEST_CASE("a stream becomes another kind, and back") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    const auto fax = [](const Phone& phone, int version) {
        std::string sdp = sdp_of(phone, version);
        sdp.replace(sdp.find("m=audio 4000 RTP/AVP 0"), 22, "m=image 4002 udptl t38");
        return sdp;
    };
    const std::set<std::string> audio = world.legs;
    const std::string offer = call.send(nat_phone, "INVITE", fax(nat_phone, 2));
    CHECK(clean(offer, nat_phone));
    CHECK(world.legs.size() == 4);
    SUBCASE("refused: the audio stays") {
        REQUIRE_FALSE(call.answer(nat_phone, offer, 488).empty());
        CHECK(world.legs == audio);
    }
    SUBCASE("accepted: the audio's ports go") {
        CHECK(clean(call.answer(nat_phone, offer, 200, fax(lan_phone, 2)), lan_phone));
        CHECK(world.legs.size() == 2);
        CHECK(world.legs != audio);
        REQUIRE_FALSE(call.send(nat_phone, "ACK", {}, call.cseq).empty());
        const std::string back = call.send(lan_phone, "INVITE", sdp_of(lan_phone, 3));
        CHECK(clean(call.answer(lan_phone, back, 200, sdp_of(nat_phone, 3)), nat_phone));
        CHECK(world.legs.size() == 2);
    }
    SUBCASE("previewed and then refused: the audio stays") {
        REQUIRE_FALSE(call.answer(nat_phone, offer, 183, fax(lan_phone, 2)).empty());
        CHECK(world.legs.size() == 4);
        REQUIRE_FALSE(call.answer(nat_phone, offer, 488).empty());
        CHECK(world.legs == audio);
        const std::string again = call.send(lan_phone, "INVITE", sdp_of(lan_phone, 2));
        CHECK(clean(call.answer(lan_phone, again, 200, sdp_of(nat_phone, 3)), nat_phone));
        CHECK(world.legs == audio);
    }
}

TEST_CASE("a line that is removed gives its ports back, one that is re-used gets new ones") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    const std::string video = "m=video 4100 RTP/AVP 96\r\n";
    const std::string none = "m=video 0 RTP/AVP 96\r\n";
    std::string offer = call.send(lan_phone, "INVITE", sdp_of(lan_phone, 2, video));
    CHECK(clean(call.answer(lan_phone, offer, 200, sdp_of(nat_phone, 2, video)), nat_phone));
    CHECK(world.legs.size() == 4);
    offer = call.send(nat_phone, "INVITE", sdp_of(nat_phone, 3, none));
    CHECK(world.legs.size() == 4);
    SUBCASE("refused") {
        REQUIRE_FALSE(call.answer(nat_phone, offer, 488).empty());
        CHECK(world.legs.size() == 4);
    }
    SUBCASE("accepted, then added again") {
        CHECK(clean(call.answer(nat_phone, offer, 200, sdp_of(lan_phone, 3, none)), lan_phone));
        CHECK(world.legs.size() == 2);
        offer = call.send(lan_phone, "INVITE", sdp_of(lan_phone, 4, video));
        CHECK(world.legs.size() == 4);
        CHECK(clean(call.answer(lan_phone, offer, 200, sdp_of(nat_phone, 4, none)), nat_phone));
        CHECK(world.legs.size() == 2);
    }
}

TEST_CASE("legs that mediarelay has freed by itself: the call goes on, and the next offer gets new ones") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    const auto lose = [&] {
        const std::vector<std::string> lost(world.legs.begin(), world.legs.end());
        world.legs.clear();
        Output out;
        world.edge.on_legs_lost(lost, world.now, out);
        world.take(out);
    };
    SUBCASE("between offers") {
        lose();
    }
    SUBCASE("while an offer is open: its answer shows nobody's own address") {
        const std::string offer = call.send(lan_phone, "INVITE", sdp_of(lan_phone, 2));
        REQUIRE_FALSE(offer.empty());
        lose();
        const std::string ok = call.answer(lan_phone, offer, 200, sdp_of(nat_phone, 2));
        REQUIRE_FALSE(ok.empty());
        CHECK(body_of(ok).empty());
    }
    CHECK(world.edge.media().size() == 1);
    const std::string offer = call.send(nat_phone, "INVITE", sdp_of(nat_phone, 3));
    CHECK(clean(offer, nat_phone));
    CHECK(clean(call.answer(nat_phone, offer, 200, sdp_of(lan_phone, 3)), lan_phone));
    CHECK(world.legs.size() == 2);
    const std::string bye = call.send(lan_phone, "BYE");
    REQUIRE_FALSE(call.answer(lan_phone, bye, 200).empty());
    CHECK(world.legs.empty());
}
