#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: a private address told to somebody outside") {
    constexpr const char* inside = "192.168.1.5:4000";
    struct Case {
        const char* why;
        const char* caller_source;
        const char* callee_source;
        unsigned packets;  ///< to the private address
        bool hold;
        const char* want;
    };
    constexpr Case cases[] = {
        {"the callee on the WAN is told it", "198.51.100.7:40001", "203.0.113.20:5060", 50, false,
         "private-address-in-sdp caller"},
        {"and sends nothing there", "198.51.100.7:40001", "203.0.113.20:5060", 0, false,
         "private-address-in-sdp caller"},
        {"the callee is private too: one routed network", "192.168.1.5:5060", "192.168.2.6:5060", 50, false, ""},
        {"captured in front of the NAT, which translates", "192.168.1.5:5060", "203.0.113.20:5060", 50, false, ""},
        {"nothing is wanted there", "198.51.100.7:40001", "203.0.113.20:5060", 0, true, "on-hold caller"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        MediaDescription offer = audio(inside);
        offer.hold = c.hold;
        if (c.hold) offer.direction = natkit::sdp::Direction::sendonly;
        CallFacts facts = direct_call(offer, audio(callee_media));
        facts.call.caller_source = endpoint(c.caller_source);
        facts.call.callee_source = endpoint(c.callee_source);
        facts.rtp = {rtp("198.51.100.7:61000", callee_media)};
        if (c.packets > 0) facts.rtp.push_back(rtp(callee_media, inside, c.packets, 2));
        CHECK(found(facts) == c.want);
    }
}

TEST_CASE("diagnose: addresses of the operator's LAN are private as well") {
    CallFacts facts = direct_call();
    facts.rtp = {rtp("198.51.100.7:61000", callee_media), rtp(callee_media, caller_media, 50, 2)};
    facts.call.caller_source = endpoint("198.51.100.7:40001");
    facts.networks.lan.add(*natkit::IpRange::parse("203.0.113.9"));
    CHECK(found(facts) == "private-address-in-sdp caller");
    CHECK(sentence(facts) ==
          "The caller hears nothing: the callee at 203.0.113.20 is told to send to 203.0.113.9:4000, a private address "
          "it cannot reach (50 packets went there in vain).");
}

TEST_CASE("diagnose: an address of the other family") {
    CallFacts facts = direct_call(audio(caller_media), audio("[2001:db8::20]:4002"));
    CHECK(found(facts) == "wrong-family both");
    CHECK(diagnose(facts).findings[0].sentence ==
          "Neither hears the other. The callee has media at [2001:db8::20]:4002 and is told to send to "
          "203.0.113.9:4000: IPv6 cannot reach IPv4. The caller has media at 203.0.113.9:4000 and is told to send to "
          "[2001:db8::20]:4002: IPv4 cannot reach IPv6.");
}
