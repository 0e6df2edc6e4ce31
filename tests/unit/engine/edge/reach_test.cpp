// Return-routability: who receives what is sent to the address a request came from. And the life of tokens.
#include "call.hpp"
#include "users.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

Settings pinging(bool open) {
    Settings result = settings();
    result.keeps_open = true;
    result.open_registrar = open;
    if (open) return result;
    auto users = std::make_shared<sip::Users>();
    users->add("nora", "example.com", sip::DigestAlgorithm::md5, "ha1");
    result.users = std::move(users);
    return result;
}

std::string with_password(const std::string& challenge) {
    const auto hash = [](const std::string& text) { return World::secrets().hash(sip::DigestAlgorithm::md5, text); };
    const std::string nonce = value_of(challenge, "nonce");
    return "Authorization: Digest username=\"nora\", realm=\"example.com\", nonce=\"" + nonce +
           "\", uri=\"sip:example.com\", response=\"" +
           hash("ha1:" + nonce + ":00000001:c:auth:" + hash("REGISTER:sip:example.com")) +
           "\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"\r\n";
}

std::string registering(const Phone& phone, int cseq, const std::string& extra = {}) {
    return phone.request("REGISTER", "sip:example.com", "<sip:nora@example.com>", "Expires: 600\r\n" + extra, "", cseq);
}

Phone at(const Phone& phone, const std::string& remote) {
    Phone moved = phone;
    moved.flow.remote = endpoint(remote);
    return moved;
}

bool reached(const World& world) {
    const auto all = world.edge.registrar().all();
    REQUIRE(all.size() == 1);
    return all[0].reached;
}

}  // namespace

TEST_CASE("nonces are the site's: an answer from elsewhere is stale, and registers nobody") {
    struct Case {
        const char* why;
        const char* asked;
        const char* answers;
        bool good;
    };
    constexpr Case cases[] = {
        {"the same", "198.51.100.7:40001", "198.51.100.7:40001", true},
        {"another port of the NAT", "198.51.100.7:40001", "198.51.100.7:40999", true},
        {"another address", "198.51.100.7:40001", "198.51.100.8:40001", false},
        {"a NAT of several addresses, in nat_servers", "192.0.2.1:40001", "192.0.2.2:40001", true},
        {"from outside of that", "192.0.2.1:40001", "192.0.3.1:40001", false},
        {"the same /64", "[2001:db8:1:2::3]:5060", "[2001:db8:1:2:ffff::9]:5060", true},
        {"another /64", "[2001:db8:1:2::3]:5060", "[2001:db8:1:3::3]:5060", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Settings wanted = pinging(false);
        wanted.networks.nat_servers = RangeSet({IpRange::parse("192.0.2.0/24").value()});
        World world(wanted);
        const Phone first = at(nat_phone, c.asked);
        const Phone second = at(nat_phone, c.answers);
        world.receive(first, registering(first, 1));
        const std::string asked = world.to(first, "SIP/2.0 401");
        world.receive(second, registering(second, 2, with_password(asked)));
        if (c.good) {
            CHECK_FALSE(world.to(second, "SIP/2.0 200").empty());
            CHECK(reached(world));
        } else {  // no state is made for who may not receive anything there
            CHECK(header(world.to(second, "SIP/2.0 401"), "WWW-Authenticate").find("stale=true") != std::string::npos);
            CHECK(world.edge.registrar().size() == 0);
        }
    }
}

TEST_CASE("the OPTIONS that asks a client is repeated while it is not answered, four times in all") {
    struct Case {
        const char* why;
        unsigned lost;  ///< of the copies, before one is answered
        std::vector<std::chrono::milliseconds> at;
    };
    const Case cases[] = {
        {"none", 0, {0ms}},
        {"the first", 1, {0ms, 500ms}},
        {"three", 3, {0ms, 500ms, 1500ms, 3500ms}},
        {"all: the next REGISTER asks anew", 9, {0ms, 500ms, 1500ms, 3500ms}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        World world(pinging(true));
        world.receive(nat_phone, registering(nat_phone, 1));
        std::vector<std::chrono::milliseconds> at;
        std::string first;
        for (auto time = 0ms; time <= 60s; time += 100ms, world.pass(100ms)) {
            const std::string options = world.to(nat_phone, "OPTIONS");
            if (options.empty()) continue;
            if (at.empty()) first = options;
            CHECK(options == first);
            at.push_back(time);
            if (at.size() > c.lost) world.receive(nat_phone, nat_phone.response(options, 200, ""));
        }
        CHECK(at == c.at);
        CHECK(reached(world) == (c.lost < 4));
        CHECK(world.edge.transactions() == 0);
        world.receive(nat_phone, registering(nat_phone, 2));
        const std::string again = world.to(nat_phone, "OPTIONS");
        CHECK(again.empty() == reached(world));
        CHECK(again != first);
    }
}

TEST_CASE("however many register in somebody else's name, few copies of what asks go there") {
    World world(pinging(true));
    for (int n = 0; n < 200; ++n) {
        const Phone spoofed = at(nat_phone, "198.51.100.7:" + std::to_string(20'000 + n));
        world.receive(spoofed, spoofed.request("REGISTER", "sip:example.com",
                                               "<sip:nora" + std::to_string(n) + "@example.com>", "", "", n + 1));
    }
    const auto asked = [&] {
        const auto count = std::ranges::count_if(world.sent, [](const auto& p) { return p.bytes->starts_with("OPT"); });
        world.sent.clear();
        return count;
    };
    CHECK(asked() == 200);  // one for each that they have sent
    world.pass(60s);
    CHECK(asked() <= 20);  // four a second, for four seconds
}

TEST_CASE("who has proved nothing is asked by OPTIONS, and is reached when it answers") {
    World world(pinging(true));
    world.receive(nat_phone, registering(nat_phone, 1));
    CHECK_FALSE(reached(world));
    const std::string options = world.to(nat_phone, "OPTIONS sip:198.51.100.7:40001 SIP/2.0");
    REQUIRE_FALSE(options.empty());
    SUBCASE("it answers, whatever it says") {
        world.receive(nat_phone, nat_phone.response(options, 405, ""));
        CHECK(reached(world));
        world.receive(nat_phone, registering(nat_phone, 2));
        CHECK(reached(world));
        CHECK(world.to(nat_phone, "OPTIONS").empty());
        const Phone moved = at(nat_phone, "198.51.100.7:40999");  // another flow shows it anew
        world.receive(moved, registering(moved, 3));
        CHECK_FALSE(reached(world));
        CHECK_FALSE(world.to(moved, "OPTIONS").empty());
    }
    SUBCASE("an answer from elsewhere, to another OPTIONS, or made up") {
        const Phone other = at(nat_phone, "198.51.100.8:40001");
        world.receive(other, nat_phone.response(options, 200, ""));
        CHECK_FALSE(reached(world));
        std::string forged = nat_phone.response(options, 200, "");
        char& digit = forged[forged.find(";rport") - 1];
        digit = digit == '0' ? '1' : '0';
        world.receive(nat_phone, forged);
        CHECK_FALSE(reached(world));
        world.receive(nat_phone, registering(nat_phone, 2));
        world.receive(nat_phone, nat_phone.response(options, 200, ""));  // of the REGISTER before
        CHECK_FALSE(reached(world));
    }
}

TEST_CASE("nobody is asked who need not be pinged, or cannot be forged") {
    World open(pinging(true));
    open.receive(lan_phone, lan_phone.request("REGISTER", "sip:example.com", "<sip:alice@example.com>", "", ""));
    open.receive(wan_phone, wan_phone.request("REGISTER", "sip:example.com", "<sip:wendy@example.com>", "", ""));
    CHECK(std::ranges::none_of(open.sent, [](const auto& packet) { return packet.bytes->starts_with("OPTIONS"); }));
    Settings off = pinging(true);
    off.keeps_open = false;
    World silent(off);
    silent.receive(nat_phone, registering(nat_phone, 1));
    CHECK(silent.to(nat_phone, "OPTIONS").empty());
}

TEST_CASE("a dialog's token ends with its dialog, and with max_dialog at the latest") {
    World world;
    Call call(world, lan_phone, nat_phone);
    call.ring();
    call.back(call.invite, 200, nat_phone.sdp());
    CHECK_FALSE(call.send(lan_phone, "INFO").empty());
    SUBCASE("BYE: what may be late still passes, and nothing else") {
        const std::string bye = call.send(nat_phone, "BYE");
        REQUIRE_FALSE(bye.empty());
        call.answer(nat_phone, bye, 200);
        CHECK_FALSE(call.send(lan_phone, "NOTIFY").empty());
        CHECK(call.send(nat_phone, "INFO").empty());
        world.receive(nat_phone,
                      nat_phone.request("MESSAGE", "sip:alice@192.168.10.20:5060", "<sip:alice@example.com>;tag=x",
                                        routes(call.invite, false), "", 50));
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 481").empty());
        world.pass(33s);
        world.sent.clear();  // among them the NOTIFY that nobody has answered
        CHECK(call.send(lan_phone, "NOTIFY").empty());
        // The same two call again.
        call.ring();
        call.back(call.invite, 200, nat_phone.sdp());
        CHECK_FALSE(call.send(lan_phone, "INFO").empty());
    }
    SUBCASE("max_dialog, reckoned at use, were the dialog known or not") {
        World restarted;
        for (World* one : {&world, &restarted}) {
            one->now.wall = WallTime(1'700'000'000s) + 12h;
            Call later{*one, lan_phone, nat_phone};
            later.invite = call.invite;
            later.reply = call.reply;
            later.cseq = 60;
            CHECK_FALSE(later.send(lan_phone, "INFO").empty());
            one->now.wall += 2s;
            CHECK(later.send(lan_phone, "INFO").empty());
            CHECK_FALSE(later.send(nat_phone, "INFO").size() > 0);
        }
    }
}
