// Names in c= lines: looked up before a description is taken, or the call is refused.
#include "call.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

/// A world whose look-ups wait until they are answered.
struct Stage {
    World world;
    std::vector<Lookup> lookups;
    std::vector<std::string> log;

    explicit Stage(Settings chosen = settings()) : world(std::move(chosen)) {
        world.add(lan_phone);
        world.add(wan_phone);
        world.add(nat_phone);
    }
    void take(Output& out) {
        lookups.insert(lookups.end(), out.lookups.begin(), out.lookups.end());
        for (const Event& event : out.events) {
            if (const auto* line = std::get_if<LogEvent>(&event)) log.push_back(line->text);
        }
        world.take(out);
    }
    void receive(const Phone& from, const std::string& bytes) {
        Output out;
        world.edge.on_packet({.flow = from.flow, .side = from.side}, bytes, world.now, out);
        take(out);
    }
    void resolve(const std::vector<std::string>& addresses, bool failed = false) {
        REQUIRE_FALSE(lookups.empty());
        const Lookup asked = lookups.front();
        lookups.erase(lookups.begin());
        sip::Location location{.missing = {}, .targets = {}, .failed = failed};
        for (const std::string& address : addresses)
            location.targets.push_back(
                {.transport = sip::Transport::udp, .endpoint = {IpAddress::parse(address).value(), 9}});
        Output out;
        world.edge.on_located(asked.ticket, location, world.now, out);
        take(out);
    }
    void invite(const Phone& from, const Phone& to, const std::string& host, int cseq = 1, std::string family = "IP4") {
        const std::string uri = "sip:" + to.name + "@example.com";
        receive(from, from.request("INVITE", uri, "<" + uri + ">", "", named(from, host, family), cseq));
    }
    static std::string named(const Phone& phone, const std::string& host, const std::string& family = "IP4") {
        std::string sdp = phone.sdp();
        const auto at = sdp.find("c=");
        return sdp.replace(at, sdp.find("\r\n", at) - at, "c=IN " + family + " " + host);
    }
    [[nodiscard]] bool logged(const std::string& text) const {
        return std::ranges::any_of(log, [&](const std::string& line) { return line.contains(text); });
    }
    /// The endpoint that mediarelay was told of the party on that side, last.
    [[nodiscard]] std::string told(nat::Place place) const {
        std::string last = "nothing";
        for (const UpdateLeg& update : world.updates) {
            if (update.party.place == place)
                last = update.party.endpoint ? to_string(*update.party.endpoint) : std::string("unknown");
        }
        return last;
    }
};

}  // namespace

TEST_CASE("names: an offer waits for the address behind its name, and the relay is told that") {
    Stage stage;
    stage.invite(wan_phone, lan_phone, "Media.Example.com.");
    CHECK(stage.world.to(lan_phone, "INVITE").empty());
    REQUIRE(stage.lookups.size() == 1);
    CHECK(stage.lookups[0].uri.host == "media.example.com");
    CHECK(stage.lookups[0].abilities.ipv4);
    CHECK_FALSE(stage.lookups[0].abilities.ipv6);
    stage.resolve({"203.0.113.77"});
    const std::string invite = stage.world.to(lan_phone, "INVITE");
    REQUIRE_FALSE(invite.empty());
    CHECK(body_of(invite).contains("c=IN IP4 192.168.10.1\r\n"));
    // The answer names one too; it is asked for once, however often the answer comes.
    const std::string answer = lan_phone.response(invite, 200, Stage::named(lan_phone, "phone.example.com"));
    stage.receive(lan_phone, answer);
    stage.receive(lan_phone, answer);
    CHECK(stage.world.to(wan_phone, "SIP/2.0 200").empty());
    REQUIRE(stage.lookups.size() == 1);
    stage.resolve({"192.168.10.77"});
    const std::string ok = stage.world.to(wan_phone, "SIP/2.0 200");
    CHECK(body_of(ok).contains("c=IN IP4 203.0.113.10\r\n"));
    CHECK(stage.told(nat::Place::wan) == "203.0.113.77:4000");
    CHECK(stage.told(nat::Place::lan) == "192.168.10.77:4000");
    // What is known is not asked again.
    stage.invite(wan_phone, lan_phone, "media.example.com", 2);
    CHECK(stage.lookups.empty());
}

TEST_CASE("names: one that leads nowhere, or where nothing may be sent, is refused with a line in the log") {
    struct Case {
        const char* why;
        std::vector<std::string> addresses;
        bool failed;
        const char* line;
    };
    const Case cases[] = {
        {"no such name", {}, false, "no such name"},
        {"no answer", {}, true, "the name servers do not answer"},
        {"loopback", {"127.0.0.1"}, false, "leads to 127.0.0.1, where no media may be sent"},
        {"unspecified", {"0.0.0.0"}, false, "leads to 0.0.0.0"},
        {"multicast", {"224.0.0.1"}, false, "leads to 224.0.0.1"},
        {"link-local", {"169.254.1.1"}, false, "leads to 169.254.1.1"},
        {"the edge", {"203.0.113.10"}, false, "leads to 203.0.113.10"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Stage stage;
        stage.invite(wan_phone, lan_phone, "media.example.com");
        stage.resolve(c.addresses, c.failed);
        CHECK_FALSE(stage.world.to(wan_phone, "SIP/2.0 488").empty());
        CHECK(stage.world.legs.empty());
        CHECK(stage.logged(c.line));
        CHECK(stage.logged("488: 'media.example.com' in c= leads nowhere"));
    }
    // The first that will do counts; an address of the LAN is not sent to for who is not there: it is latched.
    Stage stage;
    stage.invite(wan_phone, lan_phone, "media.example.com");
    stage.resolve({"127.0.0.1", "192.168.10.99"});
    const std::string invite = stage.world.to(lan_phone, "INVITE");
    REQUIRE_FALSE(invite.empty());
    stage.receive(lan_phone, lan_phone.response(invite, 200, lan_phone.sdp()));
    CHECK(stage.told(nat::Place::far_end) == "192.168.10.99:4000");
    CHECK(stage.told(nat::Place::wan) == "nothing");
}

TEST_CASE("names: a call that ends while a re-INVITE's name is looked up is over, and nothing else") {
    Stage stage;
    Call call{stage.world, lan_phone, wan_phone};
    call.establish();
    const std::string to = "<sip:" + wan_phone.name + "@example.com>;tag=" + wan_phone.name;
    stage.receive(lan_phone,
                  lan_phone.request("INVITE", "sip:" + wan_phone.name + "@" + wan_phone.address, to,
                                    routes(call.reply, true), Stage::named(lan_phone, "new.example.com"), 2));
    REQUIRE(stage.lookups.size() == 1);
    const std::string bye = call.send(wan_phone, "BYE");
    REQUIRE_FALSE(bye.empty());
    REQUIRE_FALSE(call.answer(wan_phone, bye, 200).empty());
    REQUIRE(stage.world.edge.media().size() == 0);
    stage.resolve({"192.168.10.77"});
    CHECK_FALSE(stage.world.to(lan_phone, "SIP/2.0 481").empty());
    CHECK(stage.world.legs.empty());
}

TEST_CASE("names: an answer that cannot be resolved is not shown, and leaves no exchange open") {
    Stage stage;
    stage.invite(wan_phone, lan_phone, "203.0.113.20");
    const std::string invite = stage.world.to(lan_phone, "INVITE");
    stage.receive(lan_phone, lan_phone.response(invite, 200, Stage::named(lan_phone, "nowhere.example.com")));
    stage.resolve({});
    const std::string ok = stage.world.to(wan_phone, "SIP/2.0 200");
    REQUIRE_FALSE(ok.empty());
    CHECK(body_of(ok).empty());
    CHECK(stage.logged("answer not rewritten: 'nowhere.example.com' in c= leads nowhere"));
}

TEST_CASE("names: .local is nobody's to look up: who is behind a NAT is latched") {
    Stage stage;
    stage.invite(nat_phone, lan_phone, "8b2a3c1e-0000-4000-8000-1234567890ab.local");
    CHECK(stage.lookups.empty());
    const std::string invite = stage.world.to(lan_phone, "INVITE");
    REQUIRE_FALSE(invite.empty());
    CHECK(body_of(invite).contains("c=IN IP4 192.168.10.1\r\n"));
    stage.receive(lan_phone, lan_phone.response(invite, 200, lan_phone.sdp()));
    CHECK(stage.told(nat::Place::far_end) == "unknown");
    CHECK(stage.world.joins.size() == 1);
}

TEST_CASE("names: IP6 asks for AAAA; a cancelled call is not offered; a description names four at most") {
    Stage stage;
    stage.invite(wan_phone, lan_phone, "media.example.com", 1, "IP6");
    REQUIRE(stage.lookups.size() == 1);
    CHECK(stage.lookups[0].abilities.ipv6);
    CHECK_FALSE(stage.lookups[0].abilities.ipv4);
    std::string cancel = wan_phone.request("CANCEL", "sip:alice@example.com", "<sip:alice@example.com>", "", "", 1);
    cancel.replace(cancel.find("wendyCANCEL1"), 12, "wendyINVITE1");
    stage.receive(wan_phone, cancel);
    stage.resolve({"2001:db8::77"});
    CHECK_FALSE(stage.world.to(wan_phone, "SIP/2.0 487").empty());
    CHECK(stage.world.to(lan_phone, "INVITE").empty());
    CHECK(stage.world.legs.empty());

    std::string body = wan_phone.sdp();
    for (int i = 0; i < 6; ++i) {
        body +=
            "m=audio " + std::to_string(5000 + 2 * i) + " RTP/AVP 0\r\nc=IN IP4 h" + std::to_string(i) + ".example\r\n";
    }
    stage.receive(wan_phone,
                  wan_phone.request("INVITE", "sip:alice@example.com", "<sip:alice@example.com>", "", body, 2));
    CHECK(stage.lookups.size() == 4);
    for (int i = 0; i < 4; ++i) stage.resolve({"203.0.113.77"});
    CHECK_FALSE(stage.world.to(wan_phone, "SIP/2.0 488").empty());
    CHECK(stage.logged("is not looked up"));
}

TEST_CASE("names: strangers cannot have everything looked up, and others still can") {
    Settings chosen = settings();
    chosen.name_lookups = 3;
    Stage stage(chosen);
    Settings guarded = chosen;
    guarded.open_registrar = false;
    Output out;
    stage.world.edge.set_settings(guarded, stage.world.now, out);
    stage.take(out);
    Phone stranger = wan_phone;
    stranger.name = "mallory";
    stranger.address = "203.0.113.66:5060";
    stranger.flow = flow("udp:203.0.113.10:5060-203.0.113.66:5060");
    for (int i = 1; i <= 5; ++i) stage.invite(stranger, lan_phone, "h" + std::to_string(i) + ".example", i);
    CHECK(stage.lookups.size() == 3);
    CHECK(std::ranges::count_if(stage.log, [](const std::string& line) { return line.contains("too many names"); }) ==
          1);
    CHECK_FALSE(stage.world.to(stranger, "SIP/2.0 488").empty());
    stage.lookups.clear();
    for (int i = 1; i <= 5; ++i) stage.invite(lan_phone, wan_phone, "k" + std::to_string(i) + ".example", 10 + i);
    CHECK(stage.lookups.size() == 5);
    stage.world.pass(60s);
    stage.lookups.clear();
    stage.invite(stranger, lan_phone, "again.example", 9);
    CHECK(stage.lookups.size() == 1);
}
