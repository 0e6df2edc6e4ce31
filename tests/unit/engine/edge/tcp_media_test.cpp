// TCP media through the edge: T.120 without a=setup, roles by RFC 4145, new connections, audio beside them.
#include "world.hpp"

using namespace natkit;
using namespace natkit::edge;
using namespace natkit::edge::test;
using sdp::Setup;

namespace {

std::string media_of(const Phone& phone, const std::string& lines) {
    const std::string host = phone.address.substr(0, phone.address.find(':'));
    return "v=0\r\no=- 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\n" + lines;
}

std::string body_of(const std::string& message) {
    return message.substr(message.find("\r\n\r\n") + 4);
}

/// A call with these m= lines; what each of the two is shown.
struct TcpCall : World {
    const Phone& caller;
    const Phone& callee;
    std::string shown_to_callee;
    std::string shown_to_caller;
    std::string invite;
    std::string ok;
    int cseq = 1;

    TcpCall(const Phone& from, const Phone& to) : caller(from), callee(to) {
        add(from);
        add(to);
    }
    void exchange(const std::string& offer, const std::string& answer) {
        const std::string uri = "sip:" + callee.name + "@example.com";
        const std::string to_tag = cseq == 1 ? "" : ";tag=" + callee.name;
        receive(caller, caller.request("INVITE", cseq == 1 ? uri : "sip:" + callee.name + "@" + callee.address,
                                       "<" + uri + ">" + to_tag, cseq == 1 ? "" : routes(ok, true),
                                       media_of(caller, offer), cseq));
        ++cseq;
        const std::string asked = to(callee, "INVITE");
        REQUIRE_FALSE(asked.empty());
        if (invite.empty()) invite = asked;
        shown_to_callee = body_of(asked);
        receive(callee, callee.response(asked, 200, media_of(callee, answer)));
        const std::string answered = to(caller, "SIP/2.0 200");
        REQUIRE_FALSE(answered.empty());
        if (ok.empty()) ok = answered;
        shown_to_caller = body_of(answered);
    }
    /// What mediarelay knows of the party at that leg.
    [[nodiscard]] const UpdateLeg& told(const std::string& leg) const {
        const auto last = std::find_if(updates.rbegin(), updates.rend(), [&](const auto& u) { return u.leg == leg; });
        REQUIRE(last != updates.rend());
        return *last;
    }
    [[nodiscard]] std::string port_shown(const std::string& body) const {
        const auto document = sdp::Document::parse(body).value();
        return std::to_string(document.media().back().port);
    }
    [[nodiscard]] const UpdateLeg& told_of_caller() const { return told(port_shown(shown_to_caller)); }
    [[nodiscard]] const UpdateLeg& told_of_callee() const { return told(port_shown(shown_to_callee)); }
};

constexpr const char* t120 = "m=application 1503 TCP t120\r\n";

std::string bfcp(const char* setup, int port = 5000) {
    return "m=application " + std::to_string(port) + " TCP/BFCP *\r\na=setup:" + setup + "\r\n";
}

}  // namespace

TEST_CASE("T.120 without a=setup: the offerer listens, the answerer connects, no private address leaves") {
    for (const auto& [caller, callee] : {std::pair(&lan_phone, &wan_phone), std::pair(&wan_phone, &lan_phone),
                                         std::pair(&nat_phone, &lan_phone), std::pair(&lan_phone, &nat_phone)}) {
        CAPTURE(caller->name);
        CAPTURE(callee->name);
        TcpCall call(*caller, *callee);
        call.exchange(t120, t120);
        REQUIRE(call.opened.size() == 2);
        for (const OpenLeg& leg : call.opened) CHECK(leg.stream == relay::Stream::t120);
        CHECK(call.joins.size() == 1);
        CHECK(call.told_of_caller().party.setup == Setup::passive);
        CHECK(call.told_of_caller().party.endpoint->port == 1503);
        CHECK(call.told_of_callee().party.setup == Setup::active);
        for (const std::string& shown : {call.shown_to_caller, call.shown_to_callee}) {
            CHECK(shown.find("a=setup") == std::string::npos);
            CHECK(shown.find("192.168.1.") == std::string::npos);
        }
        CHECK(call.shown_to_callee.find(caller->address.substr(0, caller->address.find(':'))) == std::string::npos);
    }
}

TEST_CASE("a=setup as it says; actpass makes who is behind a NAT connect") {
    struct Case {
        const Phone& caller;
        const Phone& callee;
        const char* offered;
        const char* shown;
        const char* answered;
        const char* told;
        Setup caller_does;
        Setup callee_does;
    };
    const Case cases[] = {
        {lan_phone, wan_phone, "active", "active", "passive", "passive", Setup::active, Setup::passive},
        {lan_phone, wan_phone, "passive", "passive", "active", "active", Setup::passive, Setup::active},
        {lan_phone, wan_phone, "actpass", "actpass", "active", "active", Setup::passive, Setup::active},
        {nat_phone, lan_phone, "actpass", "active", "passive", "passive", Setup::active, Setup::passive},
        {lan_phone, nat_phone, "actpass", "passive", "active", "active", Setup::passive, Setup::active},
        {nat_phone, nat_phone2, "actpass", "passive", "active", "passive", Setup::active, Setup::active},
        {lan_phone, wan_phone, "holdconn", "holdconn", "holdconn", "holdconn", Setup::holdconn, Setup::holdconn},
    };
    for (const Case& c : cases) {
        CAPTURE(c.caller.name + (" calls " + c.callee.name) + ": " + c.offered);
        TcpCall call(c.caller, c.callee);
        call.exchange(bfcp(c.offered), bfcp(c.answered, 9));
        CHECK(call.shown_to_callee.find(std::string("a=setup:") + c.shown + "\r\n") != std::string::npos);
        CHECK(call.shown_to_caller.find(std::string("a=setup:") + c.told + "\r\n") != std::string::npos);
        CHECK(call.told_of_caller().party.setup == c.caller_does);
        CHECK(call.told_of_callee().party.setup == c.callee_does);
        CHECK_FALSE(call.told_of_caller().renew);
        for (const OpenLeg& leg : call.opened) CHECK(leg.stream == relay::Stream::tcp);
    }
}

TEST_CASE("two WAN phones need no relay for TCP either") {
    const Phone other{"willy", "203.0.113.21:5060", flow("udp:203.0.113.10:5060-203.0.113.21:5060"), Side::wan};
    TcpCall call(wan_phone, other);
    call.exchange(bfcp("actpass"), bfcp("active", 9));
    CHECK(call.opened.empty());
    CHECK(call.shown_to_callee == media_of(wan_phone, bfcp("actpass")));
    CHECK(call.shown_to_caller == media_of(other, bfcp("active", 9)));
}

TEST_CASE("audio and T.120 in one session: hold of the audio leaves the other connection alone") {
    TcpCall call(lan_phone, nat_phone);
    const std::string audio = "m=audio 4000 RTP/AVP 0\r\n";
    call.exchange(audio + t120, audio + t120);
    CHECK(call.opened.size() == 4);
    CHECK(call.joins.size() == 2);
    const std::string port = call.port_shown(call.shown_to_callee);
    call.updates.clear();
    call.exchange(audio + "a=sendonly\r\n" + t120, audio + "a=recvonly\r\n" + t120);
    REQUIRE(call.updates.size() == 2);  // of the audio alone
    for (const UpdateLeg& update : call.updates) {
        CHECK(update.hold);
        CHECK_FALSE(update.party.setup);
    }
    call.exchange(audio + t120, audio + t120);
    CHECK(call.port_shown(call.shown_to_callee) == port);
    CHECK(call.legs.size() == 4);
}

TEST_CASE("RFC 4145 section 5: a new connection when asked for, else the one there is") {
    const std::string existing = "a=connection:existing\r\n";
    TcpCall call(lan_phone, wan_phone);
    call.exchange(bfcp("active"), bfcp("passive"));
    call.updates.clear();
    call.exchange(bfcp("active") + existing, bfcp("passive") + existing);
    CHECK(call.updates.empty());
    call.exchange(bfcp("active") + "a=connection:new\r\n", bfcp("passive") + existing);
    REQUIRE(call.updates.size() == 1);
    CHECK(call.updates[0].renew);
    CHECK(call.updates[0].leg == call.port_shown(call.shown_to_caller));
}

TEST_CASE("a stream that becomes another kind and is refused is what it was") {
    TcpCall call(lan_phone, wan_phone);
    call.exchange(bfcp("active"), bfcp("passive"));
    const std::set<std::string> before = call.legs;
    call.receive(call.caller, call.caller.request("INVITE", "sip:wendy@203.0.113.20:5060",
                                                  "<sip:wendy@example.com>;tag=wendy", routes(call.ok, true),
                                                  media_of(call.caller, "m=audio 4000 RTP/AVP 0\r\n"), call.cseq++));
    const std::string asked = call.to(call.callee, "INVITE");
    CHECK(call.legs.size() == 4);
    call.receive(call.callee, call.callee.response(asked, 488, ""));
    CHECK(call.legs == before);
    call.updates.clear();
    call.exchange(bfcp("active") + "a=connection:existing\r\n", bfcp("passive") + "a=connection:existing\r\n");
    CHECK(call.legs == before);
    CHECK(call.updates.empty());
}

TEST_CASE("a restarted edge knows who connects") {
    TcpCall call(nat_phone, nat_phone2);
    call.exchange(bfcp("actpass"), bfcp("active", 9));
    REQUIRE(call.kept.size() == 1);
    TcpCall second(nat_phone, nat_phone2);
    second.legs = call.legs;
    second.edge.media().remember(call.kept.begin()->second);
    CHECK(second.edge.media().restore(second.now.steady).size() == 2);
    second.invite = call.invite;
    second.ok = call.ok;
    second.cseq = 2;
    const std::string existing = "a=connection:existing\r\n";
    second.exchange(bfcp("actpass") + existing, bfcp("active", 9) + existing);
    CHECK(second.opened.empty());
    CHECK(second.updates.empty());  // both still connect to the relay
    CHECK(second.port_shown(second.shown_to_caller) == call.port_shown(call.shown_to_caller));
    CHECK(second.shown_to_caller.find("a=setup:passive\r\n") != std::string::npos);
}
