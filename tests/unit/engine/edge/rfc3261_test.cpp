#include "world.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

/// Two phones of one user, and who calls them.
struct Fork : World {
    std::string desk;  ///< the INVITE at wan_phone
    std::string home;  ///< the INVITE at nat_phone

    explicit Fork(const std::string& body = "") {
        add(lan_phone);
        add(nat_phone);
        receive(wan_phone,
                wan_phone.request("REGISTER", "sip:example.com", "<sip:nora@example.com>", "Expires: 600\r\n", "", 2));
        sent.clear();
        const std::string uri = "sip:nora@example.com";
        receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">", "", body));
        for (const sip::Packet& packet : sent) {
            if (packet.bytes->starts_with("INVITE")) (packet.flow == wan_phone.flow ? desk : home) = *packet.bytes;
        }
        REQUIRE_FALSE(desk.empty());
        REQUIRE_FALSE(home.empty());
        sent.clear();
    }
    std::vector<int> answers_to_caller() {
        std::vector<int> all;
        for (const sip::Packet& packet : sent) {
            if (packet.flow == lan_phone.flow && packet.bytes->starts_with("SIP/2.0 ")) {
                all.push_back(std::stoi(packet.bytes->substr(8, 3)));
            }
        }
        return all;
    }
};

std::string with_header(std::string response, const std::string& line) {
    return response.insert(response.find("Content-Length"), line + "\r\n");
}

}  // namespace

TEST_CASE("forks: the best failure is passed back once, when all have failed") {
    struct Case {
        const char* why;
        int desk, home, want;
    };
    constexpr Case cases[] = {{"busy and not found", 486, 404, 486},
                              {"declined everywhere wins", 486, 603, 603},
                              {"a challenge tells more", 486, 401, 401},
                              {"a silent one tells less", 408, 486, 486},
                              {"503 is no word for the caller", 503, 503, 500}};
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Fork world;
        world.receive(wan_phone, wan_phone.response(world.desk, c.desk, ""));
        if (c.desk < 600) CHECK(world.answers_to_caller().empty());
        world.receive(nat_phone, nat_phone.response(world.home, c.home, ""));
        CHECK(world.answers_to_caller() == std::vector<int>{c.want});
    }
}

TEST_CASE("forks: all challenges are passed back together") {
    Fork world;
    world.receive(wan_phone,
                  with_header(wan_phone.response(world.desk, 401, ""), "WWW-Authenticate: Digest realm=\"a\""));
    world.receive(nat_phone,
                  with_header(nat_phone.response(world.home, 407, ""), "Proxy-Authenticate: Digest realm=\"b\""));
    const std::string answer = world.to(lan_phone, "SIP/2.0 40");
    CHECK(answer.find("WWW-Authenticate: Digest realm=\"a\"\r\n") != std::string::npos);
    CHECK(answer.find("Proxy-Authenticate: Digest realm=\"b\"\r\n") != std::string::npos);
}

TEST_CASE("forks: both answer; the caller gets both, each with its own legs, and hangs up on one") {
    Fork world(lan_phone.sdp());
    world.receive(wan_phone, wan_phone.response(world.desk, 200, wan_phone.sdp()));
    world.receive(nat_phone, nat_phone.response(world.home, 200, nat_phone.sdp()));
    CHECK(world.answers_to_caller() == std::vector<int>{200, 200});
    CHECK(world.joins.size() == 2);
    const std::string second = [&] {
        std::string last;
        for (const sip::Packet& packet : world.sent) {
            if (packet.flow == lan_phone.flow) last = *packet.bytes;
        }
        return last;
    }();
    world.sent.clear();
    world.receive(lan_phone, lan_phone.request("BYE", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                               routes(second, true), "", 2));
    world.receive(nat_phone, nat_phone.response(world.to(nat_phone, "BYE"), 200, ""));
    CHECK(world.edge.media().size() == 1);
    CHECK(world.legs.size() == 2);
}

TEST_CASE("CANCEL crosses a 200: the call stands") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone);
    world.receive(nat_phone, nat_phone.response(invite, 180, ""));
    const std::string uri = "sip:nora@example.com";
    std::string cancel = lan_phone.request("CANCEL", uri, "<" + uri + ">", "", "");
    cancel.replace(cancel.find("aliceCANCEL1"), 12, "aliceINVITE1");
    world.receive(lan_phone, cancel);
    const std::string at_callee = world.to(nat_phone, "CANCEL");
    REQUIRE_FALSE(at_callee.empty());
    world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    world.receive(nat_phone, nat_phone.response(at_callee, 481, ""));
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
    CHECK(world.joins.size() == 1);
    CHECK(world.edge.media().size() == 1);
}

TEST_CASE("a phone that ignores CANCEL is given up after 32 seconds") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone);
    world.receive(nat_phone, nat_phone.response(invite, 180, ""));
    const std::string uri = "sip:nora@example.com";
    std::string cancel = lan_phone.request("CANCEL", uri, "<" + uri + ">", "", "");
    cancel.replace(cancel.find("aliceCANCEL1"), 12, "aliceINVITE1");
    world.receive(lan_phone, cancel);
    world.pass(33s);
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 408").empty());
    CHECK(world.legs.empty());
}

TEST_CASE("a phone that rings for ever is cancelled, and what it says then is heard (timer C)") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone);
    for (int minutes = 0; minutes < 8; ++minutes) {  // it says so every minute: that may go on
        world.receive(nat_phone, nat_phone.response(invite, 180, ""));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 180").empty());
        world.pass(60s);
    }
    SUBCASE("it answers after all that time") {
        world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
    }
    SUBCASE("it rings on and says no more") {
        world.pass(130s);
        const std::string cancel = world.to(nat_phone, "CANCEL");
        REQUIRE_FALSE(cancel.empty());
        SUBCASE("487") {
            world.receive(nat_phone, nat_phone.response(invite, 487, ""));
            CHECK_FALSE(world.to(nat_phone, "ACK").empty());
            world.receive(nat_phone, nat_phone.response(invite, 487, ""));
            CHECK_FALSE(world.to(nat_phone, "ACK").empty());
            CHECK(world.legs.empty());
        }
        SUBCASE("a 200 crosses") {
            world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
            CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
            CHECK(world.edge.media().size() == 1);
        }
        SUBCASE("nothing: 408") {
            world.pass(33s);
            CHECK_FALSE(world.to(lan_phone, "SIP/2.0 408").empty());
            CHECK(world.legs.empty());
        }
    }
}

TEST_CASE("CANCEL says why: the caller's reason, or that somebody else has answered") {
    SUBCASE("the caller's") {
        World world;
        world.add(lan_phone);
        world.add(nat_phone);
        const std::string invite = world.invite(lan_phone, nat_phone);
        const std::string uri = "sip:nora@example.com";
        std::string cancel = lan_phone.request("CANCEL", uri, "<" + uri + ">", "Reason: SIP;cause=600\r\n", "");
        cancel.replace(cancel.find("aliceCANCEL1"), 12, "aliceINVITE1");
        world.receive(lan_phone, cancel);
        world.receive(nat_phone, nat_phone.response(invite, 180, ""));  // only now it can be sent
        CHECK(header(world.to(nat_phone, "CANCEL"), "Reason") == "SIP;cause=600");
    }
    SUBCASE("another phone's answer") {
        Fork world;
        world.receive(wan_phone, wan_phone.response(world.desk, 180, ""));
        world.receive(nat_phone, nat_phone.response(world.home, 200, ""));
        CHECK(header(world.to(wan_phone, "CANCEL"), "Reason").find("cause=200") != std::string::npos);
    }
}

TEST_CASE("extensions that are asked for and not there (420)") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string uri = "sip:nora@example.com";
    world.receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">", "Proxy-Require: a, b\r\n", "", 2));
    CHECK(header(world.to(lan_phone, "SIP/2.0 420"), "Unsupported") == "a, b");
    world.receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">", "Require: 100rel\r\n", "", 3));
    CHECK_FALSE(world.to(nat_phone, "INVITE").empty());  // that is the callee's to judge
    world.receive(lan_phone, lan_phone.request("REGISTER", "sip:example.com", "<sip:alice@example.com>",
                                               "Require: outbound\r\n", "", 4));
    CHECK(header(world.to(lan_phone, "SIP/2.0 420"), "Unsupported") == "outbound");
}

TEST_CASE("a late 2xx, after another branch has won, still reaches the caller") {
    Fork world;
    world.receive(wan_phone, wan_phone.response(world.desk, 200, ""));
    world.pass(20s);
    world.receive(nat_phone, nat_phone.response(world.home, 200, ""));
    CHECK(world.answers_to_caller() == std::vector<int>{200, 200});
}

TEST_CASE("loops end, spirals pass (RFC 5393)") {
    World world;
    world.add(lan_phone);
    const Phone proxy{"proxy", "203.0.113.80:5060", flow("udp:203.0.113.10:5060-203.0.113.80:5060"), Side::wan};
    const std::string uri = "sip:x@203.0.113.80";
    world.receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">", "", ""));
    std::string text = world.to(proxy, "INVITE");
    REQUIRE_FALSE(text.empty());
    const auto back = [&](int turn) {
        text.insert(text.find("\r\nVia:") + 2,
                    "Via: SIP/2.0/UDP 203.0.113.80:5060;branch=z9hG4bKp" + std::to_string(turn) + "\r\n");
        world.receive(proxy, text);
    };
    SUBCASE("it comes back unchanged, and again") {
        back(1);  // by another flow than at first
        text = world.to(proxy, "INVITE");
        REQUIRE_FALSE(text.empty());
        back(2);
        CHECK_FALSE(world.to(proxy, "SIP/2.0 482").empty());
    }
    SUBCASE("it comes back for somebody else each time") {
        for (int turn = 1; turn < 4; ++turn) {
            const std::size_t at = text.find("sip:");
            text.replace(at, text.find(" SIP/2.0") - at, "sip:y" + std::to_string(turn) + "@203.0.113.80");
            back(turn);
            text = world.to(proxy, "INVITE sip:y" + std::to_string(turn));
            CHECK_FALSE(text.empty());
        }
    }
}

TEST_CASE("strict routers on either side") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone);
    world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    const std::string ok = world.to(lan_phone, "SIP/2.0 200");
    const auto shown = sip::Message::parse(ok).value();
    auto values = shown.values(sip::Name::record_route);
    std::ranges::reverse(values);
    SUBCASE("before us: our Record-Route stands in the Request-URI, the Request-URI behind the routes") {
        std::string lines;
        for (std::size_t i = 1; i < values.size(); ++i) lines += "Route: " + std::string(values[i]) + "\r\n";
        lines += "Route: <sip:nora@192.168.1.5:5060>\r\n";
        world.receive(lan_phone, lan_phone.request("BYE", sip::NameAddr::parse(values[0])->uri,
                                                   "<sip:nora@example.com>;tag=nora", lines, "", 2));
        const std::string bye = world.to(nat_phone, "BYE sip:nora@192.168.1.5:5060 SIP/2.0");
        REQUIRE_FALSE(bye.empty());
        CHECK(bye.find("\r\nRoute:") == std::string::npos);
    }
    SUBCASE("behind us: it gets the Request-URI it wants") {
        std::string lines;
        for (const auto& value : values) lines += "Route: " + std::string(value) + "\r\n";
        lines += "Route: <sip:strict.example>\r\n";
        world.receive(lan_phone, lan_phone.request("BYE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", lines, "", 2));
        const std::string bye = world.to(nat_phone, "BYE sip:strict.example SIP/2.0");
        REQUIRE_FALSE(bye.empty());
        CHECK(header(bye, "Route") == "<sip:nora@192.168.1.5:5060>");
    }
}

TEST_CASE("an outbound proxy's Route, Max-Forwards, duplicated fields, retransmissions") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string uri = "sip:nora@example.com";
    SUBCASE("Route: <edge;lr>") {
        world.receive(lan_phone,
                      lan_phone.request("INVITE", uri, "<" + uri + ">", "Route: <sip:192.168.10.1;lr>\r\n", ""));
        const std::string invite = world.to(nat_phone, "INVITE");
        REQUIRE_FALSE(invite.empty());
        CHECK(invite.find("\r\nRoute:") == std::string::npos);
        CHECK(header(invite, "Max-Forwards") == "69");
    }
    SUBCASE("a field that must be there once") {
        int cseq = 10;
        for (const char* line : {"Max-Forwards: 70\r\n", "Subject: a\r\nsubject: b\r\n", "Call-ID: again\r\n",
                                 "CSeq: 1 OPTIONS\r\n", "To: <sip:x@y>\r\n"}) {
            CAPTURE(line);
            world.receive(lan_phone, lan_phone.request("OPTIONS", uri, "<" + uri + ">", line, "", ++cseq));
            CHECK_FALSE(world.to(lan_phone, "SIP/2.0 400").empty());
        }
    }
    SUBCASE("the same request again gets the same answer, and goes on once") {
        const std::string request = lan_phone.request("OPTIONS", uri, "<" + uri + ">", "", "", 30);
        world.receive(lan_phone, request);
        const std::string at_phone = world.to(nat_phone, "OPTIONS");
        world.receive(lan_phone, request);
        CHECK(world.to(nat_phone, "OPTIONS").empty());
        world.receive(nat_phone, nat_phone.response(at_phone, 200, ""));
        const std::string answer = world.to(lan_phone, "SIP/2.0 200");
        world.receive(lan_phone, request);
        CHECK(world.to(lan_phone, "SIP/2.0 200") == answer);
    }
}
