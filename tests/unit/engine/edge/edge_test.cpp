#include "natkit/engine/edge/edge.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

using namespace natkit;
using namespace natkit::edge;
using namespace std::chrono_literals;

namespace {

Endpoint endpoint(const std::string& text) {
    return Endpoint::parse(text).value();
}

Settings settings() {
    Settings result;
    result.networks = {
        .lan = RangeSet({IpRange::parse("192.168.10.0/24").value()}), .nated = nat::default_nated(), .nat_servers = {}};
    result.listeners = {{sip::Transport::udp, endpoint("192.168.10.1:5060"), endpoint("192.168.10.1:5060"), Side::lan},
                        {sip::Transport::udp, endpoint("203.0.113.10:5060"), endpoint("203.0.113.10:5060"), Side::wan}};
    result.domains = {"example.com"};
    result.open_registrar = true;
    return result;
}

std::string header(const std::string& message, const std::string& name) {
    const std::size_t at = message.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return message.substr(begin, message.find("\r\n", begin) - begin);
}

/// A phone's side of a dialog, written by hand as a phone would.
struct Phone {
    std::string name;
    std::string address;  ///< what it believes its own to be
    sip::Flow flow;       ///< how the edge sees it
    Side side;

    [[nodiscard]] std::string sdp() const {
        const std::string host = address.substr(0, address.find(':'));
        return "v=0\r\no=" + name + " 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host +
               "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    }
    [[nodiscard]] std::string request(const std::string& method, const std::string& uri, const std::string& to,
                                      const std::string& extra, const std::string& body, int cseq = 1) const {
        const std::string type = body.empty() ? "" : "Content-Type: application/sdp\r\n";
        return method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP " + address + ";branch=z9hG4bK" + name + method +
               std::to_string(cseq) + ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:" + name + "@example.com>;tag=" + name +
               "\r\nTo: " + to + "\r\nCall-ID: call-" + (method == "REGISTER" ? name : "1") +
               "\r\nCSeq: " + std::to_string(cseq) + " " + method + "\r\nContact: <sip:" + name + "@" + address +
               ">\r\n" + extra + type + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
    [[nodiscard]] std::string response(const std::string& request_bytes, int status, const std::string& body) const {
        const sip::Message request = sip::Message::parse(request_bytes).value();
        std::vector<std::pair<std::string, std::string>> extra;
        for (const auto& one : request.headers()) {
            if (one.name == sip::Name::record_route) extra.emplace_back("Record-Route", std::string(one.value));
        }
        extra.emplace_back("Contact", "<sip:" + name + "@" + address + ">");
        if (!body.empty()) extra.emplace_back("Content-Type", "application/sdp");
        std::string bytes = sip::make_response(request, status, sip::reason_of(status), name, extra);
        const std::string none = "Content-Length: 0\r\n\r\n";
        return bytes.substr(0, bytes.size() - none.size()) + "Content-Length: " + std::to_string(body.size()) +
               "\r\n\r\n" + body;
    }
};

sip::Flow flow(const std::string& text) {
    return sip::parse_flow(text).value();
}

const Phone lan_phone{"alice", "192.168.10.20:5060", flow("udp:192.168.10.1:5060-192.168.10.20:5060"), Side::lan};
const Phone wan_phone{"wendy", "203.0.113.20:5060", flow("udp:203.0.113.10:5060-203.0.113.20:5060"), Side::wan};
const Phone nat_phone{"nora", "192.168.1.5:5060", flow("udp:203.0.113.10:5060-198.51.100.7:40001"), Side::wan};
const Phone nat_phone2{"ned", "192.168.1.5:5060", flow("udp:203.0.113.10:5060-198.51.100.8:40009"), Side::wan};

/// The edge, a clock, and a relay that opens whatever leg is asked for.
struct World {
    Edge edge{settings(),
              {.random_hex = [n = 0]() mutable { return "r" + std::to_string(n++); },
               .mac =
                   [](std::span<const std::uint8_t> data) {
                       std::array<std::uint8_t, 32> code{};
                       for (std::size_t i = 0; i < data.size(); ++i) {
                           code[i % 32] = static_cast<std::uint8_t>(code[i % 32] * 31 + data[i]);
                       }
                       return code;
                   }}};
    Now now{.steady = {}, .wall = WallTime(1'700'000'000s)};
    std::deque<sip::Packet> sent;
    std::set<std::string> legs;
    std::set<std::set<std::string>> joins;
    std::vector<UpdateLeg> updates;
    std::map<std::string, SessionState> kept;  ///< by leg
    std::size_t decisions = 0;
    bool relay_works = true;
    int next_port = 20000;

    void take(Output& out) {
        for (const sip::Packet& packet : out.packets) sent.push_back(packet);
        for (const Event& event : out.events) decisions += std::holds_alternative<DecisionEvent>(event) ? 1 : 0;
        for (const MediaRequest& request : out.media) {
            if (const auto* open = std::get_if<OpenLeg>(&request)) {
                open_leg(*open);
            } else if (const auto* join = std::get_if<JoinLegs>(&request)) {
                joins.insert({join->a, join->b});
            } else if (const auto* freed = std::get_if<FreeLegs>(&request)) {
                for (const std::string& leg : freed->legs) CHECK(legs.erase(leg) == 1);
            } else if (const auto* update = std::get_if<UpdateLeg>(&request)) {
                updates.push_back(*update);
            } else if (const auto* keep = std::get_if<KeepState>(&request)) {
                kept[keep->leg] = keep->state;
            }
        }
    }
    void open_leg(const OpenLeg& open) {
        Output later;
        if (!relay_works) {
            edge.on_leg_opened(open.ticket, fail(Errc::exhausted, "no port left"), now, later);
            return take(later);
        }
        const std::string port = std::to_string(next_port);
        next_port += 2;
        const std::string host = open.side == Side::lan ? "192.168.10.1:" : "203.0.113.10:";
        legs.insert(port);
        edge.on_leg_opened(open.ticket, Leg{.id = port, .local = endpoint(host + port), .rtcp = {}}, now, later);
        take(later);
    }
    void receive(const Phone& from, const std::string& bytes) {
        Output out;
        edge.on_packet({.flow = from.flow, .side = from.side}, bytes, now, out);
        take(out);
    }
    void pass(std::chrono::milliseconds time) {
        const Instant end = now.steady + time;
        const Instant begin = now.steady;
        const WallTime wall = now.wall;
        while (edge.next_deadline() && *edge.next_deadline() <= end) {
            now.steady = std::max(now.steady, *edge.next_deadline());
            now.wall = wall + std::chrono::duration_cast<std::chrono::milliseconds>(now.steady - begin);
            Output out;
            edge.on_time(now, out);
            take(out);
        }
        now.steady = end;
        now.wall = wall + time;
    }
    /// The next packet to that phone whose start line begins so; empty when there is none. Others are dropped.
    std::string to(const Phone& phone, const std::string& start) {
        while (!sent.empty()) {
            const sip::Packet packet = sent.front();
            sent.pop_front();
            if (packet.flow == phone.flow && packet.bytes->starts_with(start)) return *packet.bytes;
        }
        return {};
    }
    void add(const Phone& phone) {
        receive(phone, phone.request("REGISTER", "sip:example.com", "<sip:" + phone.name + "@example.com>",
                                     "Expires: 600\r\n", ""));
        const std::string answer = to(phone, "SIP/2.0 200");
        REQUIRE_FALSE(answer.empty());
    }
    std::string invite(const Phone& caller, const Phone& callee, bool with_sdp = true) {
        const std::string uri = "sip:" + callee.name + "@example.com";
        receive(caller, caller.request("INVITE", uri, "<" + uri + ">", "", with_sdp ? caller.sdp() : ""));
        return to(callee, "INVITE");
    }
};

/// The Route header fields a phone sends in a dialog, from the Record-Route it was shown.
std::string routes(const std::string& message, bool reversed) {
    std::vector<std::string> lines;
    const sip::Message parsed = sip::Message::parse(message).value();
    for (const auto& value : parsed.values(sip::Name::record_route)) lines.push_back("Route: " + std::string(value));
    if (reversed) std::ranges::reverse(lines);
    std::string all;
    for (const std::string& line : lines) all += line + "\r\n";
    return all;
}

}  // namespace

TEST_CASE("a LAN phone calls a phone behind a NAT: one relay, no private address on the WAN") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone);
    REQUIRE_FALSE(invite.empty());
    CHECK(invite.starts_with("INVITE sip:nora@192.168.1.5:5060 SIP/2.0"));
    CHECK(invite.find("c=IN IP4 203.0.113.10\r\n") != std::string::npos);
    CHECK(invite.find("o=alice 1 1 IN IP4 203.0.113.10") != std::string::npos);
    CHECK(invite.substr(invite.find("\r\n\r\n")).find("192.168.") == std::string::npos);
    CHECK(header(invite, "Via").starts_with("SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bKne"));
    CHECK(world.decisions == 1);
    CHECK(world.legs.size() == 2);

    world.receive(nat_phone, nat_phone.response(invite, 180, ""));
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 180").empty());
    world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    const std::string ok = world.to(lan_phone, "SIP/2.0 200");
    CHECK(ok.find("c=IN IP4 192.168.10.1\r\n") != std::string::npos);
    CHECK(world.joins.size() == 1);
    CHECK(sip::Message::parse(ok)->values(sip::Name::via).size() == 1);

    SUBCASE("ACK and BYE from the caller find the flow by the token") {
        const std::string in_dialog = routes(ok, true);
        world.receive(lan_phone, lan_phone.request("ACK", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", in_dialog, ""));
        const std::string ack = world.to(nat_phone, "ACK sip:nora@192.168.1.5:5060");
        REQUIRE_FALSE(ack.empty());
        CHECK(ack.find("Route:") == std::string::npos);
        world.receive(lan_phone, lan_phone.request("BYE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", in_dialog, "", 2));
        const std::string bye = world.to(nat_phone, "BYE");
        REQUIRE_FALSE(bye.empty());
        world.receive(nat_phone, nat_phone.response(bye, 200, ""));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
        CHECK(world.legs.empty());
        CHECK(world.edge.media().size() == 0);
    }
    SUBCASE("BYE from the callee, from another port of its NAT") {
        Phone moved = nat_phone;
        moved.flow.remote.port = 40777;
        world.receive(moved, moved.request("BYE", "sip:alice@192.168.10.20:5060", "<sip:alice@example.com>;tag=alice",
                                           routes(invite, false), "", 2));
        const std::string bye = world.to(lan_phone, "BYE sip:alice@192.168.10.20:5060");
        REQUIRE_FALSE(bye.empty());
        CHECK(header(bye, "Via").starts_with("SIP/2.0/UDP 192.168.10.1:5060"));
        world.receive(lan_phone, lan_phone.response(bye, 200, ""));
        CHECK_FALSE(world.to(moved, "SIP/2.0 200").empty());
        CHECK(world.legs.empty());
    }
    SUBCASE("a token works for its dialog only") {
        std::string forged = nat_phone2.request("BYE", "sip:alice@192.168.10.20:5060",
                                                "<sip:alice@example.com>;tag=alice", routes(invite, false), "", 2);
        world.receive(nat_phone2, forged);
        CHECK_FALSE(world.to(nat_phone2, "SIP/2.0 403").empty());
        forged.replace(forged.find("call-1"), 6, "call-2");
        forged.replace(forged.find("nedBYE"), 6, "nedBYF");
        world.receive(nat_phone, forged);
        CHECK_FALSE(world.to(nat_phone, "SIP/2.0 403").empty());
        CHECK(world.legs.size() == 2);
    }
    SUBCASE("hold by c=0.0.0.0 (RFC 2543) sends nobody there") {
        std::string hold = lan_phone.sdp();
        hold.replace(hold.find("c=IN IP4 192.168.10.20"), 22, "c=IN IP4 0.0.0.0");
        world.receive(lan_phone, lan_phone.request("INVITE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", routes(ok, true), hold, 3));
        const std::string again = world.to(nat_phone, "INVITE");
        CHECK(again.find("c=IN IP4 0.0.0.0") != std::string::npos);
        world.updates.clear();
        world.receive(nat_phone, nat_phone.response(again, 200, nat_phone.sdp()));
        REQUIRE(world.updates.size() == 2);
        for (const UpdateLeg& update : world.updates) {
            CHECK(update.party.endpoint.value().address != IpAddress());
            CHECK(update.hold);
        }
    }
    SUBCASE("a re-INVITE keeps the ports; a refused one changes nothing") {
        const std::string hold = lan_phone.sdp() + "a=sendonly\r\n";
        world.receive(lan_phone, lan_phone.request("INVITE", "sip:nora@192.168.1.5:5060",
                                                   "<sip:nora@example.com>;tag=nora", routes(ok, true), hold, 3));
        const std::string again = world.to(nat_phone, "INVITE");
        CHECK(again.find("m=audio 20002 ") == invite.find("m=audio 20002 ") + (again.size() - invite.size() - 12));
        world.receive(nat_phone, nat_phone.response(again, 488, ""));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 488").empty());
        CHECK(world.legs.size() == 2);
        CHECK(world.edge.media().size() == 1);
    }
}

TEST_CASE("two phones with one private address behind two NATs") {
    World world;
    world.add(nat_phone);
    world.add(nat_phone2);
    const std::string invite = world.invite(nat_phone, nat_phone2);
    REQUIRE_FALSE(invite.empty());
    CHECK(invite.substr(invite.find("\r\n\r\n")).find("192.168.") == std::string::npos);
    world.receive(nat_phone2, nat_phone2.response(invite, 200, nat_phone2.sdp()));
    const std::string ok = world.to(nat_phone, "SIP/2.0 200");
    CHECK(ok.substr(ok.find("\r\n\r\n")).find("192.168.") == std::string::npos);
    CHECK(world.legs.size() == 2);
}

TEST_CASE("two WAN phones need no relay: the SDP passes untouched") {
    World world;
    world.add(wan_phone);
    Phone other = wan_phone;
    other.name = "walter";
    other.address = "203.0.113.21:5060";
    other.flow.remote = endpoint("203.0.113.21:5060");
    world.add(other);
    const std::string invite = world.invite(wan_phone, other);
    CHECK(invite.ends_with(wan_phone.sdp()));
    CHECK(world.legs.empty());
    CHECK(sip::Message::parse(invite)->values(sip::Name::record_route).size() == 1);
}

TEST_CASE("an offer in the 200 and its answer in the ACK") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone, false);
    REQUIRE_FALSE(invite.empty());
    CHECK(world.legs.empty());
    world.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    const std::string ok = world.to(lan_phone, "SIP/2.0 200");
    CHECK(ok.find("c=IN IP4 192.168.10.1\r\n") != std::string::npos);
    world.receive(lan_phone, lan_phone.request("ACK", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                               routes(ok, true), lan_phone.sdp()));
    const std::string ack = world.to(nat_phone, "ACK");
    CHECK(ack.find("c=IN IP4 203.0.113.10\r\n") != std::string::npos);
    CHECK(world.joins.size() == 1);
}

TEST_CASE("busy, cancelled, silent: nothing is left") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    const std::string invite = world.invite(lan_phone, nat_phone);
    REQUIRE(world.legs.size() == 2);
    SUBCASE("486") {
        world.receive(nat_phone, nat_phone.response(invite, 486, ""));
        CHECK(world.sent.front().bytes->starts_with("ACK"));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 486").empty());
    }
    SUBCASE("CANCEL waits for a provisional response") {
        const std::string uri = "sip:nora@example.com";
        std::string cancel = lan_phone.request("CANCEL", uri, "<" + uri + ">", "", "");
        cancel.replace(cancel.find("aliceCANCEL1"), 12, "aliceINVITE1");
        world.receive(lan_phone, cancel);
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
        CHECK(world.to(nat_phone, "CANCEL").empty());
        world.receive(nat_phone, nat_phone.response(invite, 180, ""));
        const std::string passed_on = world.to(nat_phone, "CANCEL sip:nora@192.168.1.5:5060");
        REQUIRE_FALSE(passed_on.empty());
        CHECK(header(passed_on, "Via") == header(invite, "Via"));
        world.receive(nat_phone, nat_phone.response(passed_on, 200, ""));
        world.receive(nat_phone, nat_phone.response(invite, 487, ""));
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 487").empty());
    }
    SUBCASE("silence ends with 408") {
        world.pass(33s);
        CHECK_FALSE(world.to(lan_phone, "SIP/2.0 408").empty());
    }
    CHECK(world.legs.empty());
    CHECK(world.edge.media().size() == 0);
    world.pass(400s);
    CHECK(world.edge.transactions() == 0);
}

TEST_CASE("both phones of a user ring; one answers, the other is cancelled") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    Phone desk = wan_phone;
    desk.name = "nora";
    world.receive(desk,
                  desk.request("REGISTER", "sip:example.com", "<sip:nora@example.com>", "Expires: 600\r\n", "", 2));
    world.sent.clear();
    const std::string uri = "sip:nora@example.com";
    world.receive(lan_phone, lan_phone.request("INVITE", uri, "<" + uri + ">", "", lan_phone.sdp()));
    std::string at_desk;
    std::string at_home;
    for (const sip::Packet& packet : world.sent) {
        if (packet.bytes->starts_with("INVITE")) (packet.flow == desk.flow ? at_desk : at_home) = *packet.bytes;
    }
    REQUIRE_FALSE(at_desk.empty());
    REQUIRE_FALSE(at_home.empty());
    CHECK(world.legs.size() == 4);
    world.receive(nat_phone, nat_phone.response(at_home, 180, ""));
    world.receive(desk, desk.response(at_desk, 200, desk.sdp()));
    CHECK_FALSE(world.to(lan_phone, "SIP/2.0 200").empty());
    CHECK_FALSE(world.to(nat_phone, "CANCEL").empty());
    world.receive(nat_phone, nat_phone.response(at_home, 487, ""));
    CHECK(world.legs.size() == 2);
    CHECK(world.joins.size() == 1);
}

TEST_CASE("no port left: 503, and the call can be tried again") {
    World world;
    world.add(lan_phone);
    world.add(nat_phone);
    world.relay_works = false;
    CHECK(world.invite(lan_phone, nat_phone).empty());
    CHECK(world.edge.media().size() == 0);
}

TEST_CASE("who may do what") {
    World world;
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
    SUBCASE("a LAN source on the WAN interface is spoofed") {
        Phone spoofed = lan_phone;
        spoofed.side = Side::wan;
        world.receive(spoofed, spoofed.request("OPTIONS", "sip:example.com", "<sip:example.com>", "", ""));
        CHECK(world.sent.empty());
    }
    SUBCASE("a closed registrar takes LAN clients only") {
        Settings closed = settings();
        closed.open_registrar = false;
        world.edge.set_settings(closed);
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

TEST_CASE("a registration survives by restore(), a dead client goes") {
    World world;
    world.add(nat_phone);
    World second;
    second.edge.restore(world.edge.registrar().all().at(0), second.now.wall);
    second.add(lan_phone);
    CHECK_FALSE(second.invite(lan_phone, nat_phone).empty());
    Output out;
    second.edge.on_client_dead(second.edge.registrar().lookup("nora@example.com", second.now.wall).at(0).id, "test",
                               out);
    CHECK_FALSE(second.edge.registrar().knows("nora@example.com"));
}

TEST_CASE("an established call goes on in a restarted edge: re-INVITE keeps its ports, BYE frees its legs") {
    World first;
    first.add(lan_phone);
    first.add(nat_phone);
    const std::string invite = first.invite(lan_phone, nat_phone);
    first.receive(nat_phone, nat_phone.response(invite, 200, nat_phone.sdp()));
    const std::string ok = first.to(lan_phone, "SIP/2.0 200");
    REQUIRE(first.kept.size() == 1);

    World second;
    second.legs = first.legs;
    CHECK(second.edge.media().restore(first.kept.begin()->second, second.now.steady).size() == 2);
    CHECK(second.edge.media().restore(first.kept.begin()->second, second.now.steady).empty());
    second.receive(lan_phone,
                   lan_phone.request("INVITE", "sip:nora@192.168.1.5:5060", "<sip:nora@example.com>;tag=nora",
                                     routes(ok, true), lan_phone.sdp(), 2));
    const std::string again = second.to(nat_phone, "INVITE");
    CHECK(again.substr(again.find("\r\n\r\n")) == invite.substr(invite.find("\r\n\r\n")));
    second.receive(nat_phone, nat_phone.response(again, 200, nat_phone.sdp()));
    CHECK(second.joins.empty());
    second.receive(nat_phone, nat_phone.request("BYE", "sip:alice@192.168.10.20:5060",
                                                "<sip:alice@example.com>;tag=alice", routes(invite, false), "", 2));
    second.receive(lan_phone, lan_phone.response(second.to(lan_phone, "BYE"), 200, ""));
    CHECK(second.legs.empty());
    CHECK(second.edge.media().size() == 0);
}
