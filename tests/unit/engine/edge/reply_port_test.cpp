#include "world.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

/// A phone that sends from one port, names another in its Via, and asks for no rport.
struct OldPhone {
    Phone listens;  ///< by this flow it hears
    Phone sends;    ///< from this one it speaks

    explicit OldPhone(const Phone& phone) : listens(phone), sends(phone) { sends.flow.remote.port = 49152; }
    [[nodiscard]] std::string request(const std::string& method, const std::string& uri, int cseq) const {
        std::string text = listens.request(method, uri, "<sip:" + listens.name + "@example.com>",
                                           method == "REGISTER" ? "Expires: 600\r\n" : "", "", cseq);
        return text.erase(text.find(";rport"), 6);
    }
};

/// To which ports the answers with that start have gone; the packets are taken.
std::string ports(World& world, const std::string& start) {
    std::string all;
    for (const sip::Packet& packet : std::exchange(world.sent, {}))
        if (packet.bytes->starts_with(start)) all += std::to_string(packet.flow.remote.port) + " ";
    return all;
}

}  // namespace

TEST_CASE("RFC 3261 section 18.2.2: no rport, and a Via whose host is the source: answered at the Via's port") {
    struct Case {
        const char* why;
        const char* via;
        const char* want;
    };
    constexpr Case cases[] = {
        {"the Via's port", "203.0.113.20:5070", "5070 "},
        {"its default", "203.0.113.20", "5060 "},
        {"rport is asked for (RFC 3581)", "203.0.113.20:5070;rport", "49152 "},
        {"behind a NAT", "192.168.1.5:5070", "49152 "},
        {"a name", "phone.example.com:5070", "49152 "},
        {"no port at all", "203.0.113.20:0", "49152 "},
        {"the port it sends from", "203.0.113.20:49152", "49152 "},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        World world;
        const OldPhone phone(wan_phone);
        std::string text = phone.request("OPTIONS", "sip:203.0.113.10", 1);
        text.replace(text.find(wan_phone.address), wan_phone.address.size(), c.via);
        world.receive(phone.sends, text);
        CHECK(ports(world, "SIP/2.0 200") == c.want);
    }
}

TEST_CASE("a phone that listens on another port than it sends from registers, and is called there") {
    World world;
    const OldPhone old(wan_phone);
    world.receive(old.sends, old.request("REGISTER", "sip:example.com", 1));
    CHECK(ports(world, "SIP/2.0 200") == "5060 ");
    world.add(lan_phone);
    CHECK_FALSE(world.invite(lan_phone, old.listens).empty());
    SUBCASE("its own call's dialog leads there, too") {
        std::string text =
            old.listens.request("INVITE", "sip:alice@example.com", "<sip:alice@example.com>", "", old.listens.sdp(), 7);
        world.receive(old.sends, text.erase(text.find(";rport"), 6));
        const std::string invite = world.to(lan_phone, "INVITE");
        REQUIRE_FALSE(invite.empty());
        CHECK(world.edge.registrar().on_flow(old.listens.flow) != nullptr);
    }
}

TEST_CASE("an ALG has made the Via public: the repetition is answered at the source port, which is remembered") {
    World world;
    const OldPhone behind_alg(wan_phone);
    const std::string text = behind_alg.request("REGISTER", "sip:example.com", 1);
    world.receive(behind_alg.sends, text);
    CHECK(ports(world, "SIP/2.0 200") == "5060 ");
    world.pass(500ms);
    world.receive(behind_alg.sends, text);
    CHECK(ports(world, "SIP/2.0 200") == "49152 5060 ");
    CHECK(world.edge.registrar().on_flow(behind_alg.sends.flow) != nullptr);
    world.add(lan_phone);
    CHECK_FALSE(world.invite(lan_phone, behind_alg.sends).empty());
    world.pass(60s);
    world.sent.clear();
    world.receive(behind_alg.sends, behind_alg.request("REGISTER", "sip:example.com", 2));
    CHECK(ports(world, "SIP/2.0 200") == "49152 ");
}

TEST_CASE("the call of a client that is found out to listen at its source port goes on there") {
    World world;
    world.add(lan_phone);
    const OldPhone caller(wan_phone);
    std::string text =
        caller.listens.request("INVITE", "sip:alice@example.com", "<sip:alice@example.com>", "", caller.listens.sdp());
    text.erase(text.find(";rport"), 6);
    world.receive(caller.sends, text);
    const std::string invite = world.to(lan_phone, "INVITE");
    REQUIRE_FALSE(invite.empty());
    world.sent.clear();
    world.pass(400ms);
    world.receive(caller.sends, text);
    CHECK(ports(world, "SIP/2.0 100") == "49152 5060 ");
    world.receive(lan_phone, lan_phone.response(invite, 200, lan_phone.sdp()));
    const std::string answer = world.to(caller.sends, "SIP/2.0 200");
    REQUIRE_FALSE(answer.empty());
    const std::string bye = lan_phone.request("BYE", "sip:wendy@203.0.113.20:5060", "<sip:wendy@example.com>;tag=wendy",
                                              routes(invite, false), "", 2);
    std::string in_dialog = bye;
    in_dialog.replace(in_dialog.find("call-1"), 6, "call-1");
    world.receive(lan_phone, in_dialog);
    CHECK_FALSE(world.to(caller.sends, "BYE").empty());
}

TEST_CASE("a Via can name any port: by that nobody is who registered there") {
    Settings with_users = settings();
    with_users.open_registrar = false;
    auto users = std::make_shared<sip::Users>();
    users->add("wendy", "example.com", sip::DigestAlgorithm::md5, "ha1");
    with_users.users = users;
    World world(with_users);
    sip::Binding binding{
        .id = "0123456789abcdef", .aor = "wendy@example.com", .contact = "sip:wendy@203.0.113.20:5060"};
    binding.flow = wan_phone.flow;
    binding.verdict = nat::classify_address(wan_phone.flow.remote.address, with_users.networks);
    binding.expires = world.now.wall + 600s;
    binding.authenticated = true;
    world.edge.restore(binding, world.now.wall);
    const OldPhone other(wan_phone);  // somebody else at the same address
    std::string text = other.listens.request("MESSAGE", "sip:wendy@example.com", "<sip:wendy@example.com>", "", "");
    world.receive(other.sends, text.erase(text.find(";rport"), 6));
    CHECK_FALSE(world.to(other.listens, "SIP/2.0 407").empty());
}
