#include "made_calls.hpp"

using namespace natkit::diagnose;

TEST_CASE("diagnose: requests to a client that was heard before remain unanswered") {
    struct Case {
        const char* why;
        unsigned copies;
        int status;
        std::optional<std::int64_t> heard_s;
        const char* want;
    };
    const Case cases[] = {
        {"heard a minute ago", 5, 0, 40, "nat-binding-expired"},
        {"the same, answered", 5, 180, 40, "not-answered"},
        {"never heard", 5, 0, std::nullopt, "not-answered"},
        {"heard a moment ago: no NAT forgets that fast", 5, 0, 98, "not-answered"},
        {"sent twice: the answer may be on its way", 2, 0, 40, "not-answered"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CallFacts facts = direct_call();
        facts.call.answered = false;
        facts.call.descriptions.pop_back();
        Request invite{.method = "INVITE", .cseq = 1, .destination = endpoint("198.51.100.7:40001")};
        invite.first_ns = 100 * second;
        invite.copies = c.copies;
        invite.status = c.status;
        if (c.heard_s) invite.heard_ns = *c.heard_s * second;
        facts.call.requests = {invite};
        CHECK(found(facts) == c.want);
    }
}

TEST_CASE("diagnose: after a silence the media of a party comes from another port of its NAT") {
    struct Case {
        const char* why;
        const char* before;
        const char* after;
        std::int64_t again_s;  ///< when it is heard again; it went silent at 9 s
        const char* want;
    };
    constexpr Case cases[] = {
        {"another port", caller_media, "203.0.113.9:53211", 35, "nat-binding-expired caller"},
        {"the same port", caller_media, caller_media, 35, ""},
        {"another address is another host", caller_media, "203.0.113.77:4000", 35, ""},
        {"no silence to speak of", caller_media, "203.0.113.9:4000", 12, ""},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CallFacts facts = direct_call();
        RtpStream again = rtp(c.after, callee_media);
        again.first_ns = c.again_s * second;
        again.last_ns = again.first_ns + second;
        facts.rtp = {rtp(c.before, callee_media), rtp(callee_media, caller_media, 2000, 2), again};
        CHECK(found(facts) == c.want);
    }
}

TEST_CASE("diagnose: media that comes to the inner side of a NAT and does not leave it") {
    CallFacts facts = direct_call(audio("203.0.113.9:40000"), audio(callee_media));
    facts.call.translations = {{.inside = endpoint("10.0.0.9:5060"), .outside = endpoint("203.0.113.9:5060")}};
    facts.rtp = {rtp("10.0.0.9:4000", callee_media), rtp(callee_media, "203.0.113.9:40000", 50, 2),
                 rtp(callee_media, "10.0.0.9:4000", 50, 2)};
    CHECK(found(facts) == "never-arrives callee");
    CHECK(sentence(facts) ==
          "The callee hears nothing: 50 packets come from 10.0.0.9:4000 to the inner side of its NAT 203.0.113.9, and "
          "none leaves it.");
    SUBCASE("it leaves") {
        facts.rtp.push_back(rtp("203.0.113.9:40000", callee_media));
        CHECK(found(facts).empty());
    }
    SUBCASE("the capture has no media of the outer side") {
        facts.rtp.erase(facts.rtp.begin() + 1);
        CHECK(found(facts).empty());
    }
}
