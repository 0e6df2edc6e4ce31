// What one sender can take: media ports are counted for the caller, and others are left enough.
#include "call.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;

namespace {

const Phone lan_phone2{"bert", "192.168.10.21:5060", flow("udp:192.168.10.1:5060-192.168.10.21:5060"), Side::lan};

Settings guarded(proxy::MediaShares::Limits shares) {
    Settings result = settings();
    result.open_registrar = false;
    result.media_shares = shares;
    return result;
}

Phone stranger(unsigned number) {
    const std::string address = "203.0.113." + std::to_string(100 + number) + ":5060";
    return {"s" + std::to_string(number), address, flow("udp:203.0.113.10:5060-" + address), Side::wan};
}

/// An INVITE with so many streams; what the caller gets, or "rings".
std::string call(World& world, const Phone& from, int cseq, int streams) {
    std::string body = from.sdp();
    for (int i = 1; i < streams; ++i) body += "m=audio " + std::to_string(4000 + 2 * i) + " RTP/AVP 0\r\n";
    std::string invite = from.request("INVITE", "sip:alice@example.com", "<sip:alice@example.com>", "", body, cseq);
    const std::string id = "Call-ID: call-1";
    invite.replace(invite.find(id), id.size(), "Call-ID: " + from.name + "-" + std::to_string(cseq));
    world.sent.clear();
    world.receive(from, invite);
    const auto sent = world.sent;
    if (!world.to(lan_phone, "INVITE").empty()) return "rings";
    world.sent = sent;
    std::string answer = world.to(from, "SIP/2.0 ");
    if (answer.starts_with("SIP/2.0 100")) answer = world.to(from, "SIP/2.0 ");
    for (const char* status : {"503", "488", "486"}) {
        if (answer.starts_with(std::string("SIP/2.0 ") + status)) return status;
    }
    return answer;
}

}  // namespace

TEST_CASE("limits: too many streams of one stranger, of all strangers, of a description; the LAN calls on") {
    World world(guarded({.stranger = 8, .user = 8, .strangers_percent = 50, .outside_percent = 90, .pool = 20}));
    world.add(lan_phone);
    world.add(lan_phone2);
    const Phone first = stranger(1);
    CHECK(call(world, first, 1, 17) == "488");
    CHECK(world.legs.empty());
    CHECK(call(world, first, 2, 3) == "rings");  // two legs a stream
    CHECK(world.legs.size() == 6);
    CHECK(call(world, first, 3, 2) == "503");
    CHECK(world.legs.size() == 6);
    CHECK(call(world, first, 4, 1) == "rings");
    CHECK(call(world, first, 5, 1) == "503");
    const Phone second = stranger(2);
    CHECK(call(world, second, 1, 4) == "rings");  // 8 legs on each side
    const Phone third = stranger(3);
    CHECK(call(world, third, 1, 3) == "503");
    CHECK(call(world, third, 2, 2) == "rings");
    CHECK(call(world, stranger(4), 1, 1) == "503");
    CHECK(call(world, lan_phone2, 1, 16) == "rings");

    // What ends gives back: a call refused, or answered and over.
    const std::size_t before = world.legs.size();
    std::string cancel = first.request("CANCEL", "sip:alice@example.com", "<sip:alice@example.com>", "", "", 4);
    cancel.replace(cancel.find("Call-ID: call-1"), 15, "Call-ID: s1-4");
    cancel.replace(cancel.find("s1CANCEL4"), 9, "s1INVITE4");
    world.receive(first, cancel);
    world.pass(200s);  // nobody answers the CANCEL
    CHECK(world.legs.size() < before);
    CHECK(call(world, first, 6, 1) == "rings");
}

TEST_CASE("limits: with an open registrar nobody is counted") {
    Settings open = guarded({.stranger = 2, .user = 2, .strangers_percent = 1, .outside_percent = 1, .pool = 20});
    open.open_registrar = true;
    World world(open);
    world.add(lan_phone);
    for (int i = 1; i <= 4; ++i) CHECK(call(world, stranger(1), i, 4) == "rings");
}

TEST_CASE("limits: whose ports a call takes outlives a restart of the edge") {
    const auto chosen = guarded({.stranger = 4, .user = 4, .strangers_percent = 50, .outside_percent = 90, .pool = 20});
    const Phone from = stranger(1);
    World second(chosen);
    second.add(lan_phone);
    SessionState state{.call_id = "x",
                       .payer = {.sender = proxy::Sender::stranger, .name = "203.0.113.101"},
                       .ends = {EndInfo{.flow = from.flow, .verdict = {}, .tag = "a"},
                                EndInfo{.flow = lan_phone.flow, .verdict = {}, .tag = "b"}},
                       .token = {.caller = from.flow, .callee = lan_phone.flow},
                       .told = {},
                       .streams = {},
                       .reasons = {}};
    state.ends[0].verdict.place = nat::Place::wan;
    state.ends[1].verdict.place = nat::Place::lan;
    for (int i = 0; i < 2; ++i) {
        const std::string port = std::to_string(30000 + 2 * i);
        auto& stream = state.streams.emplace_back();
        stream.sides[0] = {.leg = RelayLeg{.id = port, .local = endpoint("203.0.113.10:" + port), .rtcp = {}},
                           .said = endpoint("203.0.113.101:" + port),
                           .rtcp = {}};
        stream.sides[1] = {.leg = RelayLeg{.id = port + "l", .local = endpoint("192.168.10.1:" + port), .rtcp = {}},
                           .said = endpoint("192.168.10.20:" + port),
                           .rtcp = {}};
    }
    second.edge.media().remember(state);
    CHECK(second.edge.media().restore(second.now.steady).size() == 4);
    CHECK(call(second, from, 2, 1) == "503");
    CHECK(call(second, stranger(2), 1, 1) == "rings");
}

TEST_CASE("a body with two descriptions in one is passed on as it is, with a warning") {
    for (const char* second : {"v=0\r\no=- 2 2 IN IP4 192.168.10.20\r\ns=-\r\n", "o=- 2 2 IN IP4 192.168.10.20\r\n"}) {
        CAPTURE(second);
        World world;
        world.add(lan_phone);
        world.add(wan_phone);
        const std::string uri = "sip:wendy@example.com";
        const std::string body = lan_phone.sdp() + second;
        Output out;
        world.edge.on_packet({.flow = lan_phone.flow, .side = Side::lan},
                             lan_phone.request("INVITE", uri, "<" + uri + ">", "", body), world.now, out);
        bool warned = false;
        for (const Event& event : out.events) {
            const auto* line = std::get_if<LogEvent>(&event);
            warned = warned || (line != nullptr && line->text.find("passed on unchanged") != std::string::npos);
        }
        CHECK(warned);
        world.take(out);
        CHECK(body_of(world.to(wan_phone, "INVITE")) == body);
        CHECK(world.legs.empty());
    }
}
