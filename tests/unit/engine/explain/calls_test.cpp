#include "natkit/engine/explain/calls.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "made.hpp"
#include "natkit/engine/explain/decide_call.hpp"

using namespace natkit;
using namespace natkit::explain;
using namespace natkit::test;

namespace {

const nat::Networks networks{.lan = {}, .nated = nat::default_nated(), .nat_servers = {}};

std::string description(const char* address, int port = 4000) {
    return std::string("v=0\r\no=- 1 1 IN IP4 ") + address + "\r\ns=-\r\nc=IN IP4 " + address +
           "\r\nt=0 0\r\nm=audio " + std::to_string(port) + " RTP/AVP 0\r\n";
}

/// A conversation as it goes by.
struct Wire {
    CallTracker tracker = {};
    std::vector<Call> calls = {};
    std::uint64_t frame = 0;
    std::int64_t now = 1000 * second;
    std::string call_id = "call-1";
    std::string from_tag = "a";

    Wire() {
        tracker.on_call = [this](const Call& call) { calls.push_back(call); };
    }
    void message(const char* source, const char* destination, const std::string& start, unsigned vias,
                 const std::string& to_tag = {}, const std::string& cseq = "1 INVITE", const std::string& body = {}) {
        std::string text = start + "\r\n";
        for (unsigned i = 0; i < vias; ++i)
            text += "Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK" + std::to_string(i) + "\r\n";
        text += "From: <sip:a@x>;tag=" + from_tag + "\r\nTo: <sip:b@x>" + (to_tag.empty() ? "" : ";tag=" + to_tag) +
                "\r\nCall-ID: " + call_id + "\r\nCSeq: " + cseq + "\r\n";
        if (!body.empty()) text += "Content-Type: application/sdp\r\n";
        text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        const auto parsed = sip::Message::parse(text);
        REQUIRE(parsed);
        const MessageFacts facts = read_facts(*parsed);
        const Arrival arrival{.source = *Endpoint::parse(source), .destination = *Endpoint::parse(destination)};
        const record::Nat nat = describe(*parsed, facts, arrival, networks);
        now += second / 10;
        tracker.on_message(
            {.message = *parsed, .facts = facts, .nat = nat, .arrival = arrival, .frame = ++frame, .time_ns = now});
    }
    const Call& only_call() {
        tracker.finish();
        REQUIRE(calls.size() == 1);
        return calls.front();
    }
};

constexpr const char* caller = "203.0.113.9:5060";
constexpr const char* proxy = "203.0.113.5:5060";
constexpr const char* x = "203.0.113.20:5060";
constexpr const char* y = "203.0.113.21:5060";

/// An INVITE that a proxy forks to two phones, of which x says something and y answers.
void forked(Wire& wire) {
    wire.message(caller, proxy, "INVITE sip:b@x SIP/2.0", 1, {}, "1 INVITE", description("203.0.113.9"));
    wire.message(proxy, x, "INVITE sip:b@x SIP/2.0", 2, {}, "1 INVITE", description("203.0.113.9"));
    wire.message(proxy, y, "INVITE sip:b@x SIP/2.0", 2, {}, "1 INVITE", description("203.0.113.9"));
}

}  // namespace

TEST_CASE("explain::CallTracker: the refusal of one branch does not end a call that another one answers") {
    Wire wire;
    forked(wire);
    SUBCASE("refused, then answered") {
        wire.message(x, proxy, "SIP/2.0 486 Busy Here", 2, "x");
        wire.now += 30 * second;
        for (int i = 0; i < 600; ++i) wire.message(y, proxy, "SIP/2.0 180 Ringing", 2, "y");  // room is made meanwhile
        wire.message(y, proxy, "SIP/2.0 200 OK", 2, "y", "1 INVITE", description("203.0.113.21"));
        wire.message(proxy, caller, "SIP/2.0 200 OK", 1, "y", "1 INVITE", description("203.0.113.21"));
    }
    SUBCASE("answered, and the other one cancelled") {
        wire.message(y, proxy, "SIP/2.0 200 OK", 2, "y", "1 INVITE", description("203.0.113.21"));
        wire.message(proxy, x, "CANCEL sip:b@x SIP/2.0", 1, {}, "1 CANCEL");
        wire.message(x, proxy, "SIP/2.0 487 Request Terminated", 2, "x");
    }
    SUBCASE("cancelled by the caller, but the answer was faster") {
        wire.message(caller, proxy, "CANCEL sip:b@x SIP/2.0", 1, {}, "1 CANCEL");
        wire.message(y, proxy, "SIP/2.0 200 OK", 2, "y", "1 INVITE", description("203.0.113.21"));
    }
    SUBCASE("a later offer is refused") {
        wire.message(y, proxy, "SIP/2.0 200 OK", 2, "y", "1 INVITE", description("203.0.113.21"));
        wire.message(caller, y, "INVITE sip:b@x SIP/2.0", 1, "y", "2 INVITE", description("203.0.113.9", 5000));
        wire.message(y, caller, "SIP/2.0 488 Not Acceptable Here", 1, "y", "2 INVITE");
    }
    SUBCASE("a BYE for the branch that lost") {
        wire.message(y, proxy, "SIP/2.0 200 OK", 2, "y", "1 INVITE", description("203.0.113.21"));
        wire.message(caller, x, "BYE sip:b@x SIP/2.0", 1, "x", "2 BYE");
    }
    const Call& call = wire.only_call();
    CHECK(call.answered);
    CHECK_FALSE(call.ended);
    CHECK(call.failure == 0);
    CHECK(call.callee_tag == "y");
}

TEST_CASE("explain::CallTracker: refused everywhere, or by the first hop, is refused") {
    Wire wire;
    SUBCASE("by every branch") {
        wire.message(proxy, x, "INVITE sip:b@x SIP/2.0", 2, {}, "1 INVITE", description("203.0.113.9"));
        wire.message(proxy, y, "INVITE sip:b@x SIP/2.0", 2, {}, "1 INVITE", description("203.0.113.9"));
        wire.message(x, proxy, "SIP/2.0 486 Busy Here", 2, "x");
        wire.message(y, proxy, "SIP/2.0 486 Busy Here", 2, "y");
    }
    SUBCASE("by the proxy, while a branch stays silent") {
        forked(wire);
        wire.message(x, proxy, "SIP/2.0 486 Busy Here", 2, "x");
        wire.message(proxy, caller, "SIP/2.0 486 Busy Here", 1, "x");
    }
    const Call& call = wire.only_call();
    CHECK(call.ended);
    CHECK(call.failure == 486);
}

TEST_CASE("explain::Call: of a fork the branch that answered counts") {
    Wire wire;
    forked(wire);
    wire.message(x, proxy, "SIP/2.0 183 Session Progress", 2, "x", "1 INVITE", description("203.0.113.20"));
    wire.message(proxy, caller, "SIP/2.0 183 Session Progress", 1, "x", "1 INVITE", description("203.0.113.20"));
    wire.message(y, proxy, "SIP/2.0 200 OK", 2, "y", "1 INVITE", description("203.0.113.21"));
    wire.message(proxy, caller, "SIP/2.0 200 OK", 1, "y", "1 INVITE", description("203.0.113.21"));
    wire.message(x, proxy, "SIP/2.0 183 Session Progress", 2, "x", "1 INVITE",
                 description("203.0.113.22"));  // too late
    const Call& call = wire.only_call();
    CHECK(call.written(End::callee)->source == *Endpoint::parse(y));
    CHECK(call.delivered(End::callee)->source == *Endpoint::parse(proxy));
    CHECK(call.delivered(End::callee)->streams == call.written(End::callee)->streams);
    CHECK(call.callee_source == *Endpoint::parse(y));
    CHECK(call.several_hops());
}

TEST_CASE("decide_call: relay_for names the domain of a call") {
    Wire wire;
    wire.message(caller, x, "INVITE sip:b@x SIP/2.0", 1, {}, "1 INVITE", description("203.0.113.9"));
    wire.message(x, caller, "SIP/2.0 200 OK", 1, "b", "1 INVITE", description("203.0.113.20"));
    const Call& call = wire.only_call();
    CHECK(call.hosts == std::array<std::string, 2>{"x", "x"});
    Rules rules{.networks = networks};
    CHECK_FALSE(decide_call(call, rules)->decision.relay);
    rules.policy.relay_for.domains = {"x"};
    CHECK(decide_call(call, rules)->decision.reasons == std::vector{nat::Reason::asked_for});
}

TEST_CASE("explain::CallTracker: bounded by what the calls hold, not by their number alone") {
    Wire wire;
    std::string large = description("203.0.113.9");
    for (int i = 0; i < 15; ++i) {
        large += "m=audio " + std::to_string(4000 + i) + " RTP/AVP 0\r\n";
        for (int j = 0; j < 16; ++j)
            large += "a=candidate:1 1 UDP 1 192.0.2." + std::to_string(j) + " 4000 typ host\r\n";
    }
    for (int i = 0; i < 2000; ++i) {
        wire.call_id = "call-" + std::to_string(i);
        for (int j = 1; j < 4; ++j)
            wire.message(caller, proxy, "INVITE sip:b@x SIP/2.0", 1, {}, std::to_string(j) + " INVITE", large);
        if (wire.calls.size() > 100) break;
    }
    CHECK(wire.calls.size() > 100);  // they had to give way long before there were 4096
    CHECK(wire.tracker.bytes() <= 24 * 1024 * 1024);
    CHECK(wire.tracker.bytes() > 12 * 1024 * 1024);
}
