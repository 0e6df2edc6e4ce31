#include "natkit/engine/explain/hops.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace natkit;
using namespace natkit::explain;

namespace {

constexpr const char* phone = "203.0.113.9:5060";
constexpr const char* gateway = "203.0.113.20:5060";

/// The messages of one call on one hop.
struct Hopping {
    HopTracker tracker = {};
    std::vector<Exchange> exchanges = {};
    std::int64_t now = 1'000'000'000;

    Hopping() {
        tracker.on_exchanges = [this](const std::vector<Exchange>& all) { exchanges = all; };
    }
    /// `port`: of the description; 0: none.
    void message(bool from_phone, const std::string& start, const std::string& cseq, int port) {
        const std::string address = from_phone ? "203.0.113.9" : "203.0.113.20";
        std::string body;
        if (port != 0)
            body = "v=0\r\no=- 1 1 IN IP4 " + address + "\r\ns=-\r\nc=IN IP4 " + address + "\r\nt=0 0\r\nm=audio " +
                   std::to_string(port) + " RTP/AVP 0\r\n";
        std::string branch = cseq;
        branch[branch.find(' ')] = '-';
        const std::string text =
            start + "\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK" + branch +
            "\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@x>;tag=b\r\nCall-ID: call-1\r\nCSeq: " + cseq +
            "\r\nContent-Type: application/sdp\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        const auto parsed = sip::Message::parse(text);
        REQUIRE(parsed);
        const MessageFacts facts = read_facts(*parsed);
        const Arrival arrival{.source = *Endpoint::parse(from_phone ? phone : gateway),
                              .destination = *Endpoint::parse(from_phone ? gateway : phone)};
        const record::Nat nat = describe(*parsed, facts, arrival, {});
        tracker.on_message(
            {.message = *parsed, .facts = facts, .nat = nat, .arrival = arrival, .frame = 1, .time_ns = ++now});
    }
};

}  // namespace

TEST_CASE("explain::HopTracker: a repeated ACK does not answer the next INVITE without an offer") {
    Hopping call;
    call.message(true, "INVITE sip:b@x SIP/2.0", "1 INVITE", 0);
    call.message(false, "SIP/2.0 200 OK", "1 INVITE", 5000);
    call.message(true, "ACK sip:b@x SIP/2.0", "1 ACK", 4000);
    call.message(true, "INVITE sip:b@x SIP/2.0", "2 INVITE", 0);
    call.message(true, "ACK sip:b@x SIP/2.0", "1 ACK", 4000);
    call.message(false, "SIP/2.0 200 OK", "2 INVITE", 5002);
    call.message(true, "ACK sip:b@x SIP/2.0", "2 ACK", 4002);
    call.tracker.finish();
    REQUIRE(call.exchanges.size() == 1);
    REQUIRE(call.exchanges[0].hops.size() == 1);
    const Hop& hop = call.exchanges[0].hops[0];
    REQUIRE(hop.onward.size() == 1);
    CHECK(hop.onward[0].rtp == Endpoint::parse("203.0.113.9:4002").value());
    REQUIRE(hop.back.size() == 1);
    CHECK(hop.back[0].rtp == Endpoint::parse("203.0.113.20:5002").value());
}
