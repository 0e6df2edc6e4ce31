#include "natkit/sip/message/identity.hpp"
#include "users.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {}  // namespace

TEST_CASE("who may do what") {
    World world(closed());
    world.add(lan_phone);
    Output out;
    SUBCASE("a stranger reaches a registered user") {
        CHECK_FALSE(world.invite(wan_phone, lan_phone).empty());
    }
    SUBCASE("a stranger is no relay's customer") {
        world.receive(wan_phone,
                      wan_phone.request("INVITE", "sip:toll@198.51.100.99", "<sip:toll@198.51.100.99>", "", ""));
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403").empty());
    }
    SUBCASE("a forged Route leads nowhere") {
        world.receive(wan_phone, wan_phone.request("OPTIONS", "sip:x@example.com", "<sip:x@example.com>",
                                                   "Route: <sip:192.168.10.20;lr>\r\n", ""));
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403").empty());
    }
    SUBCASE("a forged token in a Route is one, though the Request-URI names a user of that name") {
        const std::string user(48, 'A');
        world.receive(wan_phone, wan_phone.request("MESSAGE", "sip:" + user + "@example.com", "<sip:x@example.com>",
                                                   "Route: <sip:" + user + "@203.0.113.10:5060;lr>\r\n", ""));
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 403 Forbidden").empty());
    }
    SUBCASE("a LAN source on the WAN interface is spoofed") {
        Phone spoofed = lan_phone;
        spoofed.side = Side::wan;
        world.receive(spoofed, spoofed.request("OPTIONS", "sip:example.com", "<sip:example.com>", "", ""));
        CHECK(world.sent.empty());
    }
    SUBCASE("a closed registrar takes LAN clients only") {
        world.receive(nat_phone, nat_phone.request("REGISTER", "sip:example.com", "<sip:nora@example.com>", "", ""));
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 403").empty());
        world.add(wan_phone.side == Side::lan ? wan_phone
                                              : Phone{"bob", "192.168.10.21:5060",
                                                      flow("udp:192.168.10.1:5060-192.168.10.21:5060"), Side::lan});
    }
    SUBCASE("nobody is there") {
        world.receive(lan_phone,
                      lan_phone.request("INVITE", "sip:nobody@example.com", "<sip:nobody@example.com>", "", "", 7));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 404").empty());
    }
    SUBCASE("too many hops") {
        std::string tired = lan_phone.request("OPTIONS", "sip:alice@example.com", "<sip:alice@example.com>", "", "", 8);
        tired.replace(tired.find("Max-Forwards: 70"), 16, "Max-Forwards: 0");
        world.receive(lan_phone, tired);
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 483").empty());
    }
    SUBCASE("rubbish is refused or dropped") {
        world.receive(wan_phone, "\r\n\r\n");
        world.receive(wan_phone, "GET / HTTP/1.0\r\n\r\n");
        CHECK(world.sent.empty());
        world.receive(wan_phone, "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n\r\n");
        CHECK_FALSE(world.to(wan_phone, "SIP/2.0 400").empty());
    }
}

TEST_CASE("where passwords are kept everybody needs one to register, on the LAN too") {
    World world(with_users());
    CHECK(sign_in(world, nat_phone, "nora").starts_with("SIP/2.0 200"));
    CHECK(sign_in(world, lan_phone, "wrong").starts_with("SIP/2.0 401"));
    CHECK(world.edge.registrar().all().size() == 1);
    CHECK(world.edge.registrar().all().at(0).authenticated);
}

TEST_CASE("a password works once, for its user, and for a while") {
    World world(with_users());
    world.receive(nat_phone, registering(nat_phone, "", 1));
    const std::string challenge = world.to(nat_phone, "SIP/2.0 401");
    const std::string good = answer_to(challenge, "REGISTER", "sip:example.com", "nora", "nora");
    SUBCASE("the same credentials again are stale, the next count is not") {
        world.receive(nat_phone, registering(nat_phone, good, 2));
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 200").empty());
        world.receive(nat_phone, registering(nat_phone, good, 3));
        CHECK(world.to(nat_phone, "SIP/2.0 401").find("stale=true") != std::string::npos);
        const std::string next = answer_to(challenge, "REGISTER", "sip:example.com", "nora", "nora", 2);
        world.receive(nat_phone, registering(nat_phone, next, 4));
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 200").empty());
    }
    SUBCASE("another one cannot use it") {
        Phone neighbour = nat_phone2;  // behind the same NAT: elsewhere the nonce is stale
        neighbour.flow.remote.address = nat_phone.flow.remote.address;
        world.receive(neighbour, registering(neighbour, good, 2));
        CHECK_FALSE(world.to(neighbour, "SIP/2.0 403").empty());
    }
    SUBCASE("too late") {
        world.pass(301s);
        world.receive(nat_phone, registering(nat_phone, good, 2));
        CHECK(world.to(nat_phone, "SIP/2.0 401").find("stale=true") != std::string::npos);
    }
    SUBCASE("somebody who does not exist is asked in the same way") {
        Phone nobody = nat_phone;
        nobody.name = "nobody";
        world.receive(nobody, registering(nobody, "", 1));
        const std::string other = world.to(nobody, "SIP/2.0 401");
        const auto fields = [](const std::string& text) { return sip::Message::parse(text)->headers().size(); };
        CHECK(fields(other) == fields(challenge));
    }
}

TEST_CASE("a wrong password is logged of who was asked for it, and of nobody whose address is forged") {
    World world(with_users());
    world.receive(wan_phone, registering(wan_phone, "", 1));
    const std::string guess = answer_to(world.to(wan_phone, "SIP/2.0 401"), "REGISTER", "sip:example.com", "nora", "x");
    const auto logged = [&](const Phone& from, int cseq) {
        Output out;
        world.edge.on_packet({.flow = from.flow, .side = from.side}, registering(from, guess, cseq), world.now, out);
        return std::ranges::any_of(out.events, [](const Event& event) {
            const auto* line = std::get_if<LogEvent>(&event);
            return line != nullptr && line->text.starts_with("wrong password for nora from ");
        });
    };
    CHECK(logged(wan_phone, 2));
    CHECK_FALSE(logged(nat_phone, 2));  // what wan_phone was sent, on packets of another source
}

TEST_CASE("who claims from outside to be a user proves it, except on the flow it registered on") {
    World world(with_users());
    REQUIRE(sign_in(world, nat_phone, "nora").starts_with("SIP/2.0 200"));
    REQUIRE(sign_in(world, lan_phone, "alice").starts_with("SIP/2.0 200"));
    const std::string uri = "sip:alice@example.com";
    SUBCASE("the flow it registered on") {
        CHECK_FALSE(world.invite(nat_phone, lan_phone).empty());
    }
    SUBCASE("another user by that flow") {
        Phone liar = nat_phone;
        liar.name = "ned";
        CHECK(world.invite(liar, lan_phone).empty());
        world.receive(liar, liar.request("INVITE", uri, "<" + uri + ">", "", "", 2));
        CHECK_FALSE(world.to(liar, "SIP/2.0 407").empty());
    }
    SUBCASE("another flow") {
        world.receive(nat_phone2, nat_phone2.request("INVITE", uri, "<" + uri + ">", "", ""));
        const std::string challenge = world.to(nat_phone2, "SIP/2.0 407");
        REQUIRE_FALSE(challenge.empty());
        const std::string right = answer_to(challenge, "INVITE", uri, "ned", "ned");
        world.receive(nat_phone2, nat_phone2.request("INVITE", uri, "<" + uri + ">", right, "", 2));
        const std::string invite = world.to(lan_phone, "INVITE");
        REQUIRE_FALSE(invite.empty());
        CHECK(invite.find("Proxy-Authorization") == std::string::npos);
    }
    SUBCASE("with the password of somebody else") {
        world.receive(nat_phone2, nat_phone2.request("INVITE", uri, "<" + uri + ">", "", ""));
        const std::string wrong = answer_to(world.to(nat_phone2, "SIP/2.0 407"), "INVITE", uri, "wendy", "wendy");
        world.receive(nat_phone2, nat_phone2.request("INVITE", uri, "<" + uri + ">", wrong, "", 2));
        CHECK_FALSE(world.to(nat_phone2, "SIP/2.0 403").empty());
    }
    SUBCASE("somebody from elsewhere is not asked, and reaches users alone") {
        std::string call = wan_phone.request("INVITE", uri, "<" + uri + ">", "", "");
        call.replace(call.find("wendy@example.com"), 17, "wendy@example.org");
        world.receive(wan_phone, call);
        CHECK_FALSE(world.to(lan_phone, "INVITE").empty());
    }
    SUBCASE("what a user may: call out, over UDP with a password; but nobody from outside gets into the LAN") {
        const std::string target = "sip:x@198.51.100.99";
        world.receive(nat_phone, nat_phone.request("INVITE", target, "<" + target + ">", "", ""));
        const std::string challenge = world.to(nat_phone, "SIP/2.0 407");
        REQUIRE_FALSE(challenge.empty());
        const std::string right = answer_to(challenge, "INVITE", target, "nora", "nora");
        world.receive(nat_phone, nat_phone.request("INVITE", target, "<" + target + ">", right, "", 3));
        CHECK(std::ranges::any_of(
            world.sent, [](const sip::Packet& one) { return one.bytes->starts_with("INVITE sip:x@198.51.100.99"); }));
        world.receive(nat_phone,
                      nat_phone.request("INVITE", "sip:x@192.168.10.99", "<sip:x@192.168.10.99>", "", "", 2));
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 403").empty());
    }
}

TEST_CASE("without passwords a LAN client registers only its own address") {
    World world(closed());
    Phone thief = lan_phone;
    thief.address = "198.51.100.66:5060";
    world.receive(thief, registering(thief, "", 1));
    CHECK_FALSE(world.to(thief, "SIP/2.0 403").empty());
    world.receive(lan_phone, registering(lan_phone, "", 2));
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
}

TEST_CASE("without passwords a LAN client removes only what is its own") {
    World world(closed());
    world.add(lan_phone);
    Phone other{"alice", "192.168.10.21:5060", flow("udp:192.168.10.1:5060-192.168.10.21:5060"), Side::lan};
    std::string all = registering(other, "", 2);
    all.replace(all.find("<sip:alice@192.168.10.21:5060>"), 30, "*");
    all.replace(all.find("Expires: 600"), 12, "Expires: 0");
    world.receive(other, all);
    CHECK_FALSE(world.to(other, "SIP/2.0 200").empty());
    CHECK(world.edge.registrar().size() == 1);
    Phone owner = lan_phone;
    std::string own = registering(owner, "", 3);
    own.replace(own.find("<sip:alice@192.168.10.20:5060>"), 30, "*");
    own.replace(own.find("Expires: 600"), 12, "Expires: 0");
    world.receive(owner, own);
    CHECK(world.edge.registrar().size() == 0);
}

TEST_CASE("strangers' calls that nobody answers: so many, and no more") {
    World world(closed());
    world.add(lan_phone);
    const std::string uri = "sip:alice@example.com";
    const auto call = [&](const Phone& from, int cseq) {
        std::string text = from.request("INVITE", uri, "<" + uri + ">", "", from.sdp(), cseq);
        text.replace(text.find("call-1"), 6, "call-" + std::to_string(cseq));
        world.receive(from, text);
    };
    std::string first;
    for (int n = 1; n <= 100; ++n) {
        call(wan_phone, n);
        const std::string invite = world.to(lan_phone, "INVITE");
        REQUIRE_FALSE(invite.empty());
        if (n == 1) first = invite;
    }
    call(wan_phone, 101);
    CHECK_FALSE(world.to(wan_phone, "SIP/2.0 486").empty());
    call(nat_phone, 102);  // another one may
    CHECK_FALSE(world.to(lan_phone, "INVITE").empty());
    const std::size_t legs = world.legs.size();
    CHECK(legs == 202);
    world.receive(lan_phone, lan_phone.response(first, 486, ""));
    CHECK(world.legs.size() == legs - 2);
    call(wan_phone, 103);
    CHECK_FALSE(world.to(lan_phone, "INVITE").empty());
    for (int n = 200; n < 1200; ++n) {
        Phone many = wan_phone;
        many.flow.remote.address = IpAddress::v4(0xc6336400U + static_cast<unsigned>(n));
        world.sent.clear();
        call(many, n);
    }
    CHECK(world.to(Phone{"", "", flow("udp:203.0.113.10:5060-198.51.104.175:5060"), Side::wan}, "SIP/2.0 503") != "");
    CHECK(world.legs.size() == 2000);
}

TEST_CASE("a LAN source on the WAN side is told once a minute, however many come") {
    World world(closed());
    Output out;
    for (unsigned n = 0; n < 200; ++n) {
        sip::Flow spoofed = wan_phone.flow;
        spoofed.remote.address = IpAddress::v4(0xc0a80a02U + n);
        world.edge.on_packet({.flow = spoofed, .side = Side::wan}, "OPTIONS", world.now, out);
    }
    CHECK(out.events.size() == 1);
}

TEST_CASE("a host with one interface: being on the LAN grants nothing") {
    Settings alone = closed();
    alone.lan_trusted = false;
    World world(alone);
    world.receive(lan_phone, registering(lan_phone, "", 1));
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 403").empty());
    world.receive(lan_phone, lan_phone.request("INVITE", "sip:x@198.51.100.99", "<sip:x@198.51.100.99>", "", "", 2));
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 403").empty());
}

TEST_CASE("identities that somebody outside asserts are removed, those of the LAN are not") {
    World world(with_users());
    REQUIRE(sign_in(world, nat_phone, "nora").starts_with("SIP/2.0 200"));
    REQUIRE(sign_in(world, lan_phone, "alice").starts_with("SIP/2.0 200"));
    std::string claims = "history-info : <sip:boss@example.com>;index=1\r\n";
    for (const auto& field : sip::identity_fields()) claims += std::string(field.name) + ": <sip:boss@example.com>\r\n";
    const auto call = [&](const Phone& from, const Phone& to) {
        const std::string uri = "sip:" + to.name + "@example.com";
        world.receive(from, from.request("INVITE", uri, "<" + uri + ">", claims, ""));
        return world.to(to, "INVITE");
    };
    const std::string inwards = call(nat_phone, lan_phone);
    REQUIRE_FALSE(inwards.empty());
    CHECK(inwards.find("boss") == std::string::npos);
    std::string ok = lan_phone.response(inwards, 200, "");
    ok.insert(ok.find("Contact:"), claims);
    world.receive(lan_phone, ok);
    CHECK(world.to(nat_phone, "SIP/2.0 200").find("P-Asserted-Identity") != std::string::npos);

    const std::string outwards = call(lan_phone, nat_phone);
    REQUIRE_FALSE(outwards.empty());
    CHECK(outwards.find("P-Asserted-Identity: <sip:boss@example.com>") != std::string::npos);
    ok = nat_phone.response(outwards, 200, "");
    ok.insert(ok.find("Contact:"), claims);
    world.receive(nat_phone, ok);
    CHECK(world.to(lan_phone, "SIP/2.0 200").find("boss") == std::string::npos);

    int cseq = 10;
    for (const char* method : {"MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH", "NOTIFY", "INFO", "FOO"}) {
        CAPTURE(method);
        world.receive(nat_phone, nat_phone.request(method, "sip:alice@example.com", "<sip:alice@example.com>", claims,
                                                   "", ++cseq));
        const std::string request = world.to(lan_phone, method);
        REQUIRE_FALSE(request.empty());
        CHECK(request.find("boss") == std::string::npos);
    }
}

TEST_CASE("a control byte in a header section: 400 for requests, nothing for responses, never passed on") {
    World world;
    world.add(nat_phone);
    world.add(lan_phone);
    const std::string smuggled = "Subject: hi\rP-Asserted-Identity: <sip:boss@example.com>\r\n";
    int cseq = 1;
    for (const std::string& line : {smuggled, std::string("Subject: a\0b\r\n", 14), std::string("Subject: a\x0b\r\n"),
                                    std::string("X: a\r\r\n")}) {
        CAPTURE(line);
        world.receive(nat_phone, nat_phone.request("INVITE", "sip:alice@example.com", "<sip:alice@example.com>", line,
                                                   nat_phone.sdp(), ++cseq));
        REQUIRE(world.sent.size() == 1);
        const std::string answer = world.to(nat_phone, "SIP/2.0 400");
        CHECK_FALSE(answer.empty());
        CHECK_FALSE(sip::find_control(answer));
    }
    std::string spoilt =
        nat_phone.request("INVITE", "sip:alice@example.com", "<sip:alice@example.com>", "", "", ++cseq);
    spoilt.replace(spoilt.find("<sip:nora"), 5, "\"a\rb\" <sip:");
    world.receive(nat_phone, spoilt);
    const std::string answer = world.to(nat_phone, "SIP/2.0 400");
    CHECK(answer.find("From: \"a b\" <sip:nora@") != std::string::npos);
    world.receive(nat_phone,
                  nat_phone.request("ACK", "sip:alice@example.com", "<sip:alice@example.com>", smuggled, ""));
    CHECK(world.sent.empty());

    const std::string invite = world.invite(nat_phone, lan_phone);
    REQUIRE_FALSE(invite.empty());
    world.sent.clear();
    std::string ok = lan_phone.response(invite, 200, lan_phone.sdp());
    ok.insert(ok.find("Contact:"), smuggled);
    world.receive(lan_phone, ok);
    CHECK(world.sent.empty());
    const std::string body{"text\rwith\0bytes", 15};
    world.receive(nat_phone, nat_phone.request("MESSAGE", "sip:alice@example.com", "<sip:alice@example.com>",
                                               "Subject:\ta\r\n\tfolded\r\n", body, ++cseq));
    CHECK(world.to(lan_phone, "MESSAGE").ends_with("\r\n\r\n" + body));
}

TEST_CASE("contacts of a lower q ring when the better ones have failed or do not answer") {
    World world;
    world.add(lan_phone);
    const auto add = [&](const Phone& phone, const char* q) {
        std::string text = registering(phone, "", 1);
        text.replace(text.find("sip:" + phone.name + "@example.com>\r\nCall-ID"), phone.name.size() + 4, "sip:nora");
        text.replace(text.find("\r\nExpires"), 0, std::string(";q=") + q);
        world.receive(phone, text);
        REQUIRE_FALSE(world.to(phone, "SIP/2.0 200").empty());
    };
    add(nat_phone, "0.9");
    add(nat_phone2, "0.5");
    const std::string uri = "sip:nora@example.com";
    world.receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">", "", ""));
    CHECK(world.sent.size() == 2);  // 100 and one INVITE
    const std::string first = world.to(nat_phone, "INVITE");
    REQUIRE_FALSE(first.empty());
    SUBCASE("busy") {
        world.receive(nat_phone, nat_phone.response(first, 486, ""));
        CHECK_FALSE(world.to(nat_phone2, "INVITE").empty());
    }
    SUBCASE("rings on") {
        world.receive(nat_phone, nat_phone.response(first, 180, ""));
        world.pass(21s);
        CHECK_FALSE(world.to(nat_phone2, "INVITE").empty());
    }
    SUBCASE("declines for all") {
        world.receive(nat_phone, nat_phone.response(first, 603, ""));
        CHECK(world.to(nat_phone2, "INVITE").empty());
    }
}
