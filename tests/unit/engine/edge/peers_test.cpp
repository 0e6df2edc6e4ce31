#include "peers.hpp"

/// Calls between clients of two edges that are active at once.
using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

bool has_proof(const std::string& message) {
    return message.find("\r\nNatkit-Peer:") != std::string::npos;
}

struct Pairing {
    const char* why;
    const Phone& caller;
    const Phone& callee;
    std::size_t legs;  ///< at the owner's edge
};

const Pairing pairings[] = {
    {"both public, from A to B", anna, wan_phone, 0},
    {"both public, from B to A", wan_phone, anna, 0},
    {"behind NATs, from A to B", nils, nat_phone, 2},
    {"behind NATs, from B to A", nat_phone, nils, 2},
    {"a far-end caller and a public callee", nils, wan_phone, 2},
    {"a public caller and a far-end callee", anna, nat_phone, 2},
    {"from the LAN of A", lars, wan_phone, 2},
    {"to the LAN of A", wan_phone, lars, 2},
};

}  // namespace

TEST_CASE("peers: a call across, hold and BYE from either end, and one relay at most") {
    for (const Pairing& c : pairings) {
        for (const bool by_caller : {true, false}) {
            CAPTURE(c.why);
            CAPTURE(by_caller);
            TwoEdges edges;
            CallAcross call(edges, c.caller, c.callee);
            call.establish();
            CHECK(call.owner().edge.media().size() == 1);
            CHECK(call.first().edge.media().size() == 0);
            CHECK(call.owner().legs.size() == c.legs);
            CHECK(call.first().legs.empty());
            if (c.legs > 0) {
                CHECK(clean(call.invite, c.caller));
                CHECK(clean(call.reply, c.callee));
            }
            const Phone& who = by_caller ? c.caller : c.callee;
            const Phone& peer = by_caller ? c.callee : c.caller;
            for (const char* direction : {"a=sendonly\r\n", "a=sendrecv\r\n"}) {
                const std::string held = call.send(who, "INVITE", sdp_of(who, call.cseq + 1, direction));
                REQUIRE_FALSE(held.empty());
                CHECK(body_of(held).find(direction) != std::string::npos);
                if (c.legs > 0) CHECK(clean(held, who));
                REQUIRE_FALSE(call.answer(who, held, 200, sdp_of(peer, call.cseq, "")).empty());
                REQUIRE_FALSE(call.send(who, "ACK", {}, call.cseq).empty());
            }
            CHECK(call.owner().legs.size() == c.legs);
            const std::string bye = call.send(who, "BYE");
            REQUIRE_FALSE(bye.empty());
            CHECK_FALSE(call.answer(who, bye, 200).empty());
            CHECK(call.owner().edge.media().size() == 0);
            CHECK(call.owner().legs.empty());
            // What edges show each other, no phone sees.
            CHECK(std::ranges::none_of(edges.to_phones, has_proof));
            for (const sip::Packet& packet : edges.between) {
                const bool request = !packet.bytes->starts_with("SIP/2.0");
                CHECK(has_proof(*packet.bytes) == request);
            }
        }
    }
}

TEST_CASE("peers: a caller who has registered by another port since is reached by that, and reaches the other end") {
    for (const bool restarted : {false, true}) {
        CAPTURE(restarted);
        TwoEdges edges;
        CallAcross call(edges, nils, nat_phone);
        call.establish();
        sip::Binding binding = *edges.a.edge.registrar().on_flow(nils.flow);
        binding.cseq += 1;
        binding.flow.remote.port = 42000;  // his NAT has begun anew
        Output out;
        REQUIRE(edges.a.edge.take_over(binding, edges.a.now, out).has_value());
        edges.a.take(out);
        if (restarted) edges.restart(edges.a);
        Phone moved = nils;
        moved.flow = binding.flow;
        edges.receive(nat_phone, call.in_dialog(nat_phone, "INFO"));
        const std::string info = edges.to(moved, "INFO");
        REQUIRE_FALSE(info.empty());
        CHECK(edges.to(nils, "INFO").empty());
        edges.receive(moved, moved.response(info, 200, ""));
        CHECK_FALSE(edges.to(nat_phone, "SIP/2.0 200").empty());
        // From there he holds, and the other one hangs up.
        edges.receive(moved, call.in_dialog(nils, "INVITE", sdp_of(nils, 9, "a=sendonly\r\n")));
        const std::string held = edges.to(nat_phone, "INVITE");
        REQUIRE_FALSE(held.empty());
        edges.receive(nat_phone, nat_phone.response(held, 200, sdp_of(nat_phone, 10)));
        CHECK_FALSE(edges.to(moved, "SIP/2.0 200").empty());
        edges.receive(moved, call.in_dialog(nils, "ACK", {}, call.cseq));
        edges.receive(nat_phone, call.in_dialog(nat_phone, "BYE"));
        CHECK_FALSE(edges.to(moved, "BYE").empty());
    }
}

TEST_CASE("peers: where the owner's edge tells of the call, the caller is the caller, not the other edge") {
    TwoEdges edges;
    CallAcross call(edges, nils, nat_phone);
    call.establish();
    const auto passes = edges.b.edge.media().passes("call-1");
    REQUIRE(passes.size() == 1);
    CHECK(passes[0].ends[0].neighbour == nils.flow.remote);
    const auto summary = edges.b.edge.media().summaries();
    REQUIRE(summary.size() == 1);
    CHECK(summary[0].caller.source() == nils.flow.remote);
    CHECK(summary[0].caller.flow.remote == edge_a.listen);
    CHECK(summary[0].decision.reasons == std::vector{nat::Reason::far_end_nat});
}

TEST_CASE("peers: both behind one NAT need no relay, wherever they are registered") {
    TwoEdges edges;
    Phone neighbour = nils;
    neighbour.flow.remote = endpoint("198.51.100.7:45000");  // nat_phone's
    CallAcross call(edges, neighbour, nat_phone);
    call.establish();
    CHECK(edges.b.legs.empty());
    CHECK(body_of(call.invite).find("192.168.1.9") != std::string::npos);
}

TEST_CASE("peers: reliable responses, PRACK and UPDATE from either end") {
    TwoEdges edges;
    CallAcross call(edges, nils, nat_phone);
    call.ring();
    const std::string progress = call.back(call.invite, 183, nat_phone.sdp(), "Require: 100rel\r\nRSeq: 1\r\n");
    REQUIRE_FALSE(progress.empty());
    CHECK(clean(progress, nat_phone));
    const std::string prack = call.send(nils, "PRACK", {}, 0, "RAck: 1 1 INVITE\r\n");
    REQUIRE_FALSE(prack.empty());
    CHECK_FALSE(call.answer(nils, prack, 200).empty());
    for (const Phone* who : {&nils, &nat_phone}) {
        const std::string update = call.send(*who, "UPDATE", sdp_of(*who, 5, "a=sendonly\r\n"));
        REQUIRE_FALSE(update.empty());
        CHECK(clean(update, *who));
        const Phone& peer = who == &nils ? nat_phone : nils;
        CHECK_FALSE(call.answer(*who, update, 200, sdp_of(peer, 6)).empty());
    }
    REQUIRE_FALSE(call.back(call.invite, 200, {}).empty());
    REQUIRE_FALSE(call.send(nils, "ACK", {}, 1).empty());
    CHECK(edges.b.legs.size() == 2);
}

TEST_CASE("peers: an offer in the 2xx and its answer in the ACK") {
    for (const Pairing& c : pairings) {
        CAPTURE(c.why);
        TwoEdges edges;
        CallAcross call(edges, c.caller, c.callee);
        call.ring(false);
        const std::string offered = call.back(call.invite, 200, c.callee.sdp());
        REQUIRE_FALSE(offered.empty());
        const std::string ack = call.send(c.caller, "ACK", c.caller.sdp(), 1);
        REQUIRE_FALSE(ack.empty());
        CHECK(call.owner().legs.size() == c.legs);
        if (c.legs == 0) continue;
        CHECK(clean(offered, c.callee));
        CHECK(clean(ack, c.caller));
    }
}

TEST_CASE("peers: CANCEL, with its answers") {
    TwoEdges edges;
    CallAcross call(edges, nils, nat_phone);
    call.ring();
    REQUIRE_FALSE(call.back(call.invite, 180, {}).empty());
    const std::string uri = "sip:nora@example.com";
    std::string cancel = nils.request("CANCEL", uri, "<" + uri + ">", "", "");
    const std::string own = "z9hG4bKnilsCANCEL1";
    cancel.replace(cancel.find(own), own.size(), "z9hG4bKnilsINVITE1");
    edges.receive(nils, cancel);
    REQUIRE_FALSE(edges.to(nat_phone, "CANCEL").empty());
    CHECK_FALSE(call.back(call.invite, 487, {}).empty());
    CHECK(edges.b.edge.media().size() == 0);
    CHECK(edges.b.legs.empty());
}

TEST_CASE("peers: a user at two edges rings at both, and who answers first has the call") {
    for (const bool here : {true, false}) {
        CAPTURE(here);
        TwoEdges edges;
        edges.add(anna);
        edges.add(nils, "team");
        edges.add(nat_phone, "team");
        const std::string uri = "sip:team@example.com";
        edges.receive(anna, anna.request("INVITE", uri, "<" + uri + ">", "", anna.sdp()));
        const std::string at_a = edges.to(nils, "INVITE");
        const std::string at_b = edges.to(nat_phone, "INVITE");
        REQUIRE_FALSE(at_a.empty());
        REQUIRE_FALSE(at_b.empty());
        const Phone& winner = here ? nils : nat_phone;
        const Phone& loser = here ? nat_phone : nils;
        edges.receive(loser, loser.response(here ? at_b : at_a, 180, ""));
        edges.receive(winner, winner.response(here ? at_a : at_b, 200, winner.sdp()));
        CHECK_FALSE(edges.to(anna, "SIP/2.0 200").empty());
        CHECK_FALSE(edges.to(loser, "CANCEL").empty());
        edges.receive(loser, loser.response(here ? at_b : at_a, 487, ""));
        CHECK(edges.a.edge.media().size() == (here ? 1 : 0));
        CHECK(edges.b.edge.media().size() == (here ? 0 : 1));
    }
}

TEST_CASE("peers: requests without a call, and a subscription with its notifications") {
    for (const char* method : {"MESSAGE", "OPTIONS", "SUBSCRIBE"}) {
        CAPTURE(method);
        TwoEdges edges;
        edges.add(nils);
        edges.add(nat_phone);
        const std::string uri = "sip:nora@example.com";
        edges.receive(nils, nils.request(method, uri, "<" + uri + ">", "", ""));
        const std::string got = edges.to(nat_phone, method);
        REQUIRE_FALSE(got.empty());
        CHECK(got.starts_with(std::string(method) + " sip:nora@192.168.1.5:5060"));
        edges.pass(5s);  // a phone may take its time
        edges.receive(nat_phone, nat_phone.response(got, 200, ""));
        const std::string answer = edges.to(nils, "SIP/2.0 200");
        REQUIRE_FALSE(answer.empty());
        if (std::string(method) != "SUBSCRIBE") continue;
        edges.receive(nat_phone, nat_phone.request("NOTIFY", "sip:nils@192.168.1.9:5060",
                                                   "<sip:nils@example.com>;tag=nils", routes(got, false), ""));
        const std::string notified = edges.to(nils, "NOTIFY");
        REQUIRE_FALSE(notified.empty());
        edges.receive(nils, nils.response(notified, 200, ""));
        CHECK_FALSE(edges.to(nat_phone, "SIP/2.0 200").empty());
    }
}

TEST_CASE("peers: calls between phones of IPv6, and of both families") {
    const auto six = [](const char* name, const std::string& edge, const std::string& at) {
        const std::string address = "[" + at + "]:5060";
        return Phone{name, address, flow("udp:[" + edge + "]:5060-" + address), Side::wan};
    };
    const Phone sixa = six("sixa", "2001:db8::11", "2001:db8:a::30");
    const Phone sixb = six("sixb", "2001:db8::10", "2001:db8:b::30");
    const auto sdp = [](const std::string& host) {
        return "v=0\r\no=- 1 1 IN IP6 " + host + "\r\ns=-\r\nc=IN IP6 " + host +
               "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    };
    struct Case {
        const Phone& caller;
        const Phone& callee;
        std::string offer;
        std::string answer;
        std::size_t legs;
    };
    const Case cases[] = {{sixa, sixb, sdp("2001:db8:a::30"), sdp("2001:db8:b::30"), 0},
                          {sixa, wan_phone, sdp("2001:db8:a::30"), wan_phone.sdp(), 2},
                          {anna, sixb, anna.sdp(), sdp("2001:db8:b::30"), 2}};
    for (const Case& c : cases) {
        CAPTURE(c.caller.name);
        CAPTURE(c.callee.name);
        TwoEdges edges;
        for (World* world : {&edges.a, &edges.b}) {
            Settings settings = world->edge.settings();
            const std::string own = world == &edges.a ? "[2001:db8::11]" : "[2001:db8::10]";
            settings.listeners.insert(settings.listeners.begin(), {sip::Transport::udp, endpoint(own + ":5060"),
                                                                   endpoint(own + ":5060"), Side::wan});
            settings.media_addresses.push_back(endpoint(own + ":1").address);
            Output out;
            world->edge.set_settings(std::move(settings), world->now, out);
            world->take(out);
        }
        edges.add(c.caller);
        edges.add(c.callee);
        const std::string uri = "sip:" + c.callee.name + "@example.com";
        edges.receive(c.caller, c.caller.request("INVITE", uri, "<" + uri + ">", "", c.offer));
        const std::string invite = edges.to(c.callee, "INVITE ");
        REQUIRE_FALSE(invite.empty());
        CHECK(edges.b.legs.size() == c.legs);
        CHECK(edges.a.legs.empty());
        CHECK((body_of(invite) == c.offer) == (c.legs == 0));
        edges.receive(c.callee, c.callee.response(invite, 200, c.answer));
        const std::string reply = edges.to(c.caller, "SIP/2.0 200");
        REQUIRE_FALSE(reply.empty());
        CHECK((body_of(reply) == c.answer) == (c.legs == 0));
    }
}
