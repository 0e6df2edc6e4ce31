// RFC 3325 section 7: who is not trusted is not told what its subject wants to be kept.
#include "users.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

TEST_CASE("Privacy: id goes with identities to who is trusted, and without them to others; ACK, too") {
    struct Case {
        const char* why;
        const Phone& from;
        const Phone& to;
        bool open;  ///< anybody may register, and is believed
        const char* privacy;
        bool told;
    };
    const Phone other_lan_phone{"ned", "192.168.10.21:5060", flow("udp:192.168.10.1:5060-192.168.10.21:5060"),
                                Side::lan};
    const Case cases[] = {
        {"nobody asks for it", lan_phone, nat_phone, false, "", true},
        {"to who is outside", lan_phone, nat_phone, false, "Privacy: id\r\n", false},
        {"to the LAN", lan_phone, other_lan_phone, false, "Privacy: id\r\n", true},
        {"not asked for", lan_phone, nat_phone, false, "Privacy: none\r\n", true},
        {"with an open registrar", nat_phone, nat_phone2, true, "Privacy: id\r\n", false},
        {"with an open registrar, to the LAN", nat_phone, lan_phone, true, "Privacy: id\r\n", true},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        World world(c.open ? settings() : with_users());
        for (const Phone* phone : {&c.from, &c.to}) {
            if (c.open) world.add(*phone);
            if (!c.open) REQUIRE(sign_in(world, *phone, phone->name).starts_with("SIP/2.0 200"));
        }
        const std::string claims = "P-Asserted-Identity: <sip:boss@example.com>\r\n" + std::string(c.privacy);
        const auto told = [](const std::string& message) {
            REQUIRE_FALSE(message.empty());
            return message.find("boss") != std::string::npos;
        };
        int cseq = 0;
        const auto called = [&](const Phone& from, const Phone& to, int number, const std::string& extra) {
            const std::string uri = "sip:" + to.name + "@example.com";
            world.receive(from, from.request("INVITE", uri, "<" + uri + ">", extra, "", number));
            return world.to(to, "INVITE");
        };
        const std::string invite = called(c.from, c.to, ++cseq, claims);
        CHECK(told(invite) == c.told);
        CHECK(invite.find(c.privacy) != std::string::npos);
        world.receive(c.to, c.to.response(invite, 200, ""));
        const std::string ok = world.to(c.from, "SIP/2.0 200");
        const std::string extra = routes(ok, true) + claims;
        world.receive(c.from,
                      c.from.request("ACK", "sip:" + c.to.name + "@" + c.to.address, header(ok, "To"), extra, ""));
        CHECK(told(world.to(c.to, "ACK")) == c.told);
        for (const int status : {180, 486}) {  // what is passed back at once, and what is chosen among failures
            std::string answer = c.from.response(called(c.to, c.from, ++cseq, ""), status, "");
            answer.insert(answer.find("Contact:"), claims);
            world.receive(c.from, answer);
            CHECK(told(world.to(c.to, "SIP/2.0 " + std::to_string(status))) == c.told);
        }
    }
}
