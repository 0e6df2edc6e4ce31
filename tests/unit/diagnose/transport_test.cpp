#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

CallFacts unanswered(const Request& request) {
    CallFacts facts = direct_call();
    facts.call.answered = false;
    facts.call.descriptions.pop_back();
    facts.call.requests = {request};
    return facts;
}

Request invite(unsigned copies, std::size_t bytes) {
    Request request{.method = "INVITE", .cseq = 1, .copies = copies};
    request.source = endpoint("203.0.113.9:5060");
    request.destination = endpoint("203.0.113.20:5060");
    request.bytes = bytes;
    request.frame = 3;
    return request;
}

}  // namespace

TEST_CASE("diagnose: a large message over UDP that nobody answers") {
    struct Row {
        const char* why;
        unsigned copies;
        std::size_t bytes;
        bool incomplete, tcp;
        const char* want;
    };
    constexpr Row rows[] = {
        {"fragments, again and again", 5, 2400, false, false, "fragments-lost"},
        {"only the first ones are here", 5, 1480, true, false, "fragments-lost"},
        {"the capture has one of them: its filter, perhaps", 1, 1480, true, false, "fragments-lost"},
        {"one packet", 5, 900, false, false, "not-answered"},
        {"over TCP", 5, 2400, false, true, "not-answered"},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        Request request = invite(c.copies, c.bytes);
        request.incomplete = c.incomplete;
        request.tcp = c.tcp;
        CHECK(found(unanswered(request)) == c.want);
    }
}

TEST_CASE("diagnose: a large message that was answered is only cut by the capture") {
    Request request = invite(1, 1480);
    request.incomplete = true;
    request.status = 200;
    request.responses = {{.status = 200, .frame = 4}};
    CallFacts facts = direct_call();
    facts.call.requests = {request};
    CHECK(found(facts) == "fragments-lost");
    CHECK_FALSE(diagnose(facts).broken());
}

TEST_CASE("diagnose: TCP connections that calls need") {
    TcpConnection attempt;
    attempt.client = endpoint("203.0.113.5:40000");
    attempt.server = endpoint("198.51.100.7:40789");
    attempt.first_ns = second;
    attempt.last_ns = 8 * second;
    attempt.syns = 5;
    CallFacts facts = unanswered(invite(1, 900));
    facts.call.requests[0].tcp = true;
    SUBCASE("no answer to SYN") {
        facts.connections = {attempt};
        CHECK(found(facts) == "connection-gone");
        CHECK(diagnose(facts).outcome == Outcome::refused);
    }
    SUBCASE("of somebody else to the server that has answered") {
        attempt.server = facts.call.requests[0].destination;
        facts.call.requests[0].status = 100;
        facts.connections = {attempt};
        CHECK(found(facts) == "not-answered");
    }
    SUBCASE("the callee is busy all the same") {
        facts.call.failure = 486;
        facts.connections = {attempt};
        CHECK(found(facts) == "not-answered");
    }
    SUBCASE("a private address") {
        attempt.server = endpoint("100.64.9.33:5060");
        facts.connections = {attempt};
        CHECK(found(facts) == "not-reachable");
    }
    SUBCASE("accepted") {
        attempt.accepted = true;
        facts.connections = {attempt};
        CHECK(found(facts) == "not-answered");
    }
    SUBCASE("sent again and never acknowledged") {
        attempt.accepted = true;
        attempt.from_client = {.segments = 4, .again = 3, .unacknowledged_ns = second, .unacknowledged_frame = 9};
        facts.connections = {attempt};
        CHECK(found(facts) == "not-answered");  // it carries the requests of others
        facts.call.requests[0].source = attempt.client;
        facts.call.requests[0].destination = attempt.server;
        CHECK(found(facts) == "connection-gone");
        CHECK(sentence(facts).find("frame 9 was sent again 3 times") != std::string::npos);
    }
    SUBCASE("reset instead of an answer") {
        attempt.accepted = true;
        attempt.closed = TcpConnection::Close{.frame = 8, .time_ns = second, .reset = true};
        facts.call.requests[0].source = attempt.client;
        facts.call.requests[0].destination = attempt.server;
        facts.call.requests[0].first_ns = second;
        facts.connections = {attempt};
        CHECK(found(facts) == "connection-gone");
        CHECK(diagnose(facts).outcome == Outcome::refused);
        facts.call.requests[0].status = 100;  // it was read
        CHECK(found(facts) == "not-answered");
    }
}

TEST_CASE("diagnose: an answer to a port that nobody listens at") {
    struct Row {
        const char* why;
        bool rport;
        const char* answered_to;
        const char* want;
    };
    constexpr Row rows[] = {
        {"without rport", false, "203.0.113.77:5060", "rport-missing"},
        {"with it", true, "203.0.113.77:5060", ""},
        {"answered to where it came from", false, "203.0.113.77:2048", ""},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        Request request{.method = "REGISTER", .cseq = 1, .source = endpoint("203.0.113.77:2048"), .copies = 4};
        request.destination = endpoint("203.0.113.10:5060");
        request.rport = c.rport;
        request.status = 200;
        request.responses = {{.status = 200, .frame = 4, .destination = endpoint(c.answered_to)}};
        CallFacts facts;
        facts.call.registration = true;
        facts.call.requests = {request};
        CHECK(found(facts) == c.want);
        CHECK(diagnose(facts).outcome == (std::string(c.want).empty() ? Outcome::answered : Outcome::no_answer));
    }
}

TEST_CASE("diagnose: a large request within the call that nobody answers") {
    Request first = invite(1, 900), again = invite(4, 2400);
    first.status = 200;
    first.responses = {{.status = 200, .frame = 4}};
    again.cseq = 2;
    again.in_dialog = true;
    CallFacts facts = direct_call();
    facts.call.requests = {first, again};
    CHECK(found(facts) == "fragments-lost (in-dialog-request-lost)");
    CHECK(diagnose(facts).outcome == Outcome::answered);
    facts.call.requests[0].bytes = 2400;  // that got there
    CHECK(found(facts) == "in-dialog-request-lost");
}
