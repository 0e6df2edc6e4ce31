#include "call.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

/// A response of another phone behind the callee's flow: the same with another To-tag.
std::string tagged(std::string response, const std::string& tag) {
    const std::size_t to = response.find("\r\nTo: ");
    const std::size_t at = response.find(";tag=", to);
    const std::size_t end = response.find("\r\n", to + 2);
    return response.replace(at, end - at, ";tag=" + tag);
}

std::string origin_version(const std::string& message) {
    const std::size_t at = message.find("\r\no=");
    const std::string line = message.substr(at + 2, message.find("\r\n", at + 2) - at - 2);
    std::size_t begin = line.find(' ');
    begin = line.find(' ', begin + 1) + 1;
    return line.substr(begin, line.find(' ', begin) - begin);
}

}  // namespace

TEST_CASE("an INVITE that forks beyond the edge: each To-tag has its own session, join and BYE") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.ring();
    world.receive(nat_phone, nat_phone.response(call.invite, 183, nat_phone.sdp()));
    CHECK(clean(world.to(lan_phone, "SIP/2.0 183"), nat_phone));
    CHECK(world.legs.size() == 2);
    world.receive(nat_phone, tagged(nat_phone.response(call.invite, 183, sdp_of(nat_phone, 1, {}, 4700)), "second"));
    const std::string second = world.to(lan_phone, "SIP/2.0 183");
    CHECK(clean(second, nat_phone));
    CHECK(world.legs.size() == 3);  // the callee's side has one for both
    CHECK(world.joins.size() == 2);
    CHECK(world.edge.media().size() == 2);
    SUBCASE("the first wins, the other's late 2xx is passed on and its BYE ends it alone") {
        CHECK(clean(call.back(call.invite, 200, nat_phone.sdp()), nat_phone));
        const std::size_t joins = world.joins.size();
        world.receive(nat_phone,
                      tagged(nat_phone.response(call.invite, 200, sdp_of(nat_phone, 1, {}, 4700)), "second"));
        const std::string late = world.to(lan_phone, "SIP/2.0 200");
        CHECK(clean(late, nat_phone));
        CHECK(body_of(late) == body_of(second));
        CHECK(world.joins.size() >= joins);
        world.receive(lan_phone, lan_phone.request("BYE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=second", routes(late, true), "", 9));
        const std::string bye = world.to(nat_phone, "BYE");
        REQUIRE_FALSE(bye.empty());
        world.receive(nat_phone, nat_phone.response(bye, 200, ""));
        CHECK(world.edge.media().size() == 1);
        CHECK(world.legs.size() == 2);
        const std::string end = call.send(lan_phone, "BYE");
        REQUIRE_FALSE(end.empty());
        REQUIRE_FALSE(call.answer(lan_phone, end, 200).empty());
        CHECK(world.legs.empty());
    }
    SUBCASE("the other wins: the first goes after the time for late 2xx") {
        world.receive(nat_phone,
                      tagged(nat_phone.response(call.invite, 200, sdp_of(nat_phone, 1, {}, 4700)), "second"));
        CHECK(body_of(world.to(lan_phone, "SIP/2.0 200")) == body_of(second));
        CHECK(world.edge.media().size() == 2);
        CHECK(world.legs.size() == 3);
        world.pass(33s);
        CHECK(world.edge.media().size() == 1);
        CHECK(world.legs.size() == 2);
        CHECK(world.ended.empty());
    }
    SUBCASE("nobody wins") {
        REQUIRE_FALSE(call.back(call.invite, 486, "").empty());
        CHECK(world.edge.media().size() == 0);
        CHECK(world.legs.empty());
        REQUIRE(world.ended.size() == 1);
        CHECK_FALSE(world.ended[0].answered);
    }
}

TEST_CASE("an INVITE that is challenged comes again with its ports") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.ring();
    const std::string first = call.invite;
    REQUIRE_FALSE(call.back(first, 407, "").empty());
    CHECK(world.legs.size() == 2);
    SUBCASE("in time") {
        world.pass(2s);  // its legs part meanwhile
        const std::string uri = "sip:nora@example.com";
        world.receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">", "", lan_phone.sdp(), 2));
        call.invite = world.to(nat_phone, "INVITE");
        CHECK(body_of(call.invite) == body_of(first));
        CHECK(world.legs.size() == 2);
        CHECK(clean(call.back(call.invite, 200, nat_phone.sdp()), nat_phone));
        CHECK(world.joins.size() == 1);
        world.pass(60s);
        CHECK(world.legs.size() == 2);
        CHECK(world.edge.media().size() == 1);
    }
    SUBCASE("never") {
        world.pass(33s);
        CHECK(world.legs.empty());
        CHECK(world.edge.media().size() == 0);
    }
}

TEST_CASE("an offer in a dialog that the edge does not know: its token makes the session") {
    World first;
    Call call(first, lan_phone, nat_phone);
    call.establish();
    World second;
    call.world.legs.clear();
    Call later{second, lan_phone, nat_phone};
    later.invite = call.invite;
    later.reply = call.reply;
    for (const Phone* from : {&lan_phone, &nat_phone}) {
        const Phone& to = from == &lan_phone ? nat_phone : lan_phone;
        CAPTURE(from->name);
        later.cseq += 10;
        const std::string offer = later.send(*from, "INVITE", sdp_of(*from, 2));
        CHECK(clean(offer, *from));
        CHECK(clean(later.answer(*from, offer, 200, sdp_of(to, 2)), to));
        CHECK(second.joins.size() == 1);
        CHECK(second.edge.media().size() == 1);
    }
    const std::string bye = later.send(nat_phone, "BYE");
    REQUIRE_FALSE(later.answer(nat_phone, bye, 200).empty());
    CHECK(second.legs.empty());
    SUBCASE("refused: nothing is left") {
        World third;
        Call last{third, lan_phone, nat_phone};
        last.invite = call.invite;
        last.reply = call.reply;
        const std::string offer = last.send(lan_phone, "INVITE", sdp_of(lan_phone, 2));
        CHECK(clean(offer, lan_phone));
        REQUIRE_FALSE(last.answer(lan_phone, offer, 488).empty());
        CHECK(third.edge.media().size() == 0);
        CHECK(third.legs.empty());
    }
}

TEST_CASE("the number in o= goes up when what is sent differs, and only then") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.establish();
    CHECK(origin_version(call.invite) == "1");
    const auto offered = [&](const std::string& sdp) {
        const std::string offer = call.send(lan_phone, "INVITE", sdp);
        REQUIRE_FALSE(call.answer(lan_phone, offer, 200, nat_phone.sdp()).empty());
        return origin_version(offer);
    };
    CHECK(offered(sdp_of(lan_phone, 1)) == "1");
    CHECK(offered(sdp_of(lan_phone, 1, "a=sendonly\r\n")) == "2");  // its sender forgot
    CHECK(offered(sdp_of(lan_phone, 1, "a=sendonly\r\n")) == "2");
    CHECK(offered(sdp_of(lan_phone, 2)) == "3");
    CHECK(offered(sdp_of(lan_phone, 7, "a=sendonly\r\n")) == "7");
    // Known after a restart too.
    World second;
    second.legs = world.legs;
    second.edge.media().remember(world.kept.begin()->second);
    (void)second.edge.media().restore(second.now.steady);
    Call later{second, lan_phone, nat_phone};
    later.invite = call.invite;
    later.reply = call.reply;
    later.cseq = 20;
    CHECK(origin_version(later.send(lan_phone, "INVITE", sdp_of(lan_phone, 5, "a=sendonly\r\n"))) == "7");
}

TEST_CASE("a session timer that is not refreshed ends the call (RFC 4028)") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.ring();
    world.receive(nat_phone, with(nat_phone.response(call.invite, 200, nat_phone.sdp()),
                                  "Session-Expires: 600;refresher=uac\r\n"));
    call.reply = world.to(lan_phone, "SIP/2.0 200");
    world.pass(500s);
    const std::string update = call.send(lan_phone, "UPDATE");
    REQUIRE_FALSE(update.empty());
    world.receive(nat_phone, with(nat_phone.response(update, 200, ""), "x: 600\r\n"));
    world.pass(600s);
    CHECK(world.edge.media().size() == 1);
    world.pass(60s);
    CHECK(world.edge.media().size() == 0);
    CHECK(world.legs.empty());
}

TEST_CASE("a call that is over tells who has talked to whom, how long, and by which legs") {
    World world;
    Call call(world, lan_phone, nat_phone);
    const Instant began = world.now.steady;
    call.ring();
    world.pass(3s);
    REQUIRE_FALSE(call.back(call.invite, 200, nat_phone.sdp()).empty());
    REQUIRE_FALSE(call.send(lan_phone, "ACK", {}, 1).empty());
    const std::set<std::string> legs = world.legs;
    REQUIRE(world.kept.size() == 1);  // what a restarted edge takes up tells the same
    const SessionState& kept = world.kept.begin()->second;
    CHECK(kept.began == began);
    CHECK(kept.answered == began + 3s);
    CHECK(kept.ends[1].uri == "sip:nora@example.com");
    CHECK(kept.streams[0].codec == "PCMU");
    world.pass(60s);
    const std::string bye = call.send(lan_phone, "BYE");
    REQUIRE_FALSE(call.answer(lan_phone, bye, 200).empty());
    REQUIRE(world.ended.size() == 1);
    const EndedCall& ended = world.ended[0];
    CHECK(ended.ends[0].uri == "sip:alice@example.com");
    CHECK(ended.ends[1].uri == "sip:nora@example.com");
    CHECK(ended.began == began);
    CHECK(ended.answered == began + 3s);
    REQUIRE(ended.streams.size() == 1);
    CHECK(ended.streams[0].codec == "PCMU");
    CHECK(std::set<std::string>(ended.streams[0].legs.begin(), ended.streams[0].legs.end()) == legs);
}
