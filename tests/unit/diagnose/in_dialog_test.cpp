#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

constexpr const char* caller_signals = "203.0.113.9:5060";
constexpr const char* callee_signals = "203.0.113.20:5060";

Request sent(const char* method, End sender, const char* to, unsigned copies, int status) {
    Request request{.method = method, .cseq = 7, .copies = copies, .status = status, .sender = sender};
    request.source = endpoint(sender == End::caller ? caller_signals : callee_signals);
    request.destination = endpoint(to);
    request.first_ns = 9 * second;
    request.last_ns = 9 * second;
    request.frame = 40;
    request.in_dialog = true;
    request.vias = 1;
    if (status != 0) request.responses = {{.status = status, .frame = 41}};
    return request;
}

CallFacts talking(std::vector<Request> requests) {
    CallFacts facts = direct_call();
    facts.rtp = {rtp(caller_media, callee_media), rtp(callee_media, caller_media, 50, 2)};
    facts.call.requests = std::move(requests);
    return facts;
}

/// An INVITE whose 200 was sent so often.
Request answered(unsigned copies) {
    Request invite = sent("INVITE", End::caller, callee_signals, 1, 200);
    invite.in_dialog = false;
    invite.cseq = 1;
    invite.responses[0].copies = copies;
    invite.responses[0].last_ns = 32 * second;
    invite.responses[0].contact = endpoint("203.0.113.20:5060");
    return invite;
}

Request ack(const char* to) {
    Request request = sent("ACK", End::caller, to, 1, 0);
    request.cseq = 1;
    request.first_ns = 0;
    return request;
}

}  // namespace

TEST_CASE("diagnose: requests within a call that are never answered") {
    struct Row {
        const char* why;
        Request request;
        const char* want;
        Outcome outcome;
    };
    const Row rows[] = {
        {"a BYE to a private Contact", sent("BYE", End::callee, "10.0.0.9:5060", 4, 0), "in-dialog-request-lost",
         Outcome::hung},
        {"a BYE to somebody who is away", sent("BYE", End::caller, callee_signals, 4, 0), "in-dialog-request-lost",
         Outcome::hung},
        {"answered", sent("BYE", End::caller, callee_signals, 1, 200), "", Outcome::answered},
        {"sent once more: the answer is late", sent("BYE", End::caller, callee_signals, 2, 200), "", Outcome::answered},
        {"a re-INVITE", sent("INVITE", End::callee, caller_signals, 5, 0), "in-dialog-request-lost", Outcome::answered},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        const CallFacts facts = talking({c.request});
        CHECK(found(facts) == c.want);
        CHECK(diagnose(facts).outcome == c.outcome);
    }
}

TEST_CASE("diagnose: a refresh of the session that nobody answers ends it (RFC 4028)") {
    Request refresh = sent("UPDATE", End::caller, callee_signals, 5, 0);
    refresh.session_expires = 90;
    const CallFacts facts = talking({refresh, sent("BYE", End::caller, callee_signals, 5, 0)});
    CHECK(found(facts) == "session-expired (in-dialog-request-lost)");
    CHECK(sentence(facts).find("(90 s, RFC 4028)") != std::string::npos);
    CHECK(diagnose(facts).outcome == Outcome::dropped);
}

TEST_CASE("diagnose: a 200 that is sent again and again") {
    struct Row {
        const char* why;
        std::vector<Request> requests;
        const char* want;
    };
    const Row rows[] = {
        {"acknowledged", {answered(1), ack(callee_signals)}, ""},
        {"no ACK", {answered(8)}, "ack-lost"},
        {"the ACK does not get there", {answered(8), ack(callee_signals)}, "ack-lost"},
        {"it goes to a private Contact", {answered(8), ack("10.0.0.9:5060")}, "ack-to-unreachable-contact"},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        CHECK(found(talking(c.requests)) == c.want);
    }
}

TEST_CASE("diagnose: a session that nobody refreshes runs out") {
    Request invite = answered(1);
    invite.responses[0].first_ns = second;
    invite.responses[0].session_expires = 6;
    invite.responses[0].receiver_refreshes = true;  // the caller
    Request bye = sent("BYE", End::callee, caller_signals, 1, 200);
    bye.first_ns = 5 * second;  // a third before the end
    SUBCASE("the other side ends the call in time") {
        const CallFacts facts = talking({invite, bye});
        CHECK(found(facts) == "session-expired (hung-up)");
        CHECK(sentence(facts).find("the caller was to refresh") != std::string::npos);
        CHECK(diagnose(facts).outcome == Outcome::dropped);
    }
    SUBCASE("somebody hangs up before") {
        bye.first_ns = 3 * second;
        CHECK(found(talking({invite, bye})).empty());
    }
    SUBCASE("who was to refresh hangs up") {
        bye.sender = End::caller;
        CHECK(found(talking({invite, bye})).empty());
    }
    SUBCASE("it was refreshed") {
        Request refresh = sent("UPDATE", End::caller, callee_signals, 1, 200);
        refresh.responses[0].first_ns = 4 * second;
        refresh.responses[0].session_expires = 6;
        refresh.responses[0].receiver_refreshes = true;
        CHECK(found(talking({invite, refresh, bye})).empty());
    }
    SUBCASE("later, and the BYE says why") {
        bye.first_ns = 12 * second;
        CHECK(found(talking({invite, bye})).empty());
        bye.reason = "Session timer expired";
        CHECK(found(talking({invite, bye})) == "session-expired (hung-up)");
    }
}

TEST_CASE("diagnose: a lost request is told of the hop on which nobody answers") {
    Request first = sent("INVITE", End::caller, "203.0.113.10:5060", 1, 408);
    Request far = sent("INVITE", End::caller, callee_signals, 5, 0);
    far.vias = 2;
    far.frame = 44;
    far.heard_ns = -40 * second;
    const std::string said = sentence(talking({first, far}));
    CHECK(said.find("(frame 44, 9.0 s) was sent 5 times to 203.0.113.20:5060") != std::string::npos);
    CHECK(said.find("heard last 49 s before") != std::string::npos);
    CHECK(sentence(talking({first})).find("was answered by 408 in frame 41") != std::string::npos);
    Request bye = sent("BYE", End::callee, "10.0.0.9:5060", 4, 0);
    Request invite = answered(1);
    invite.contact = endpoint("10.0.0.9:5060");
    CHECK(sentence(talking({invite, bye})).find("10.0.0.9:5060, the Contact of the caller, is a private") !=
          std::string::npos);
}

TEST_CASE("diagnose: a BYE over a TCP connection that is gone") {
    Request bye = sent("BYE", End::caller, callee_signals, 1, 0);
    bye.tcp = true;
    CallFacts facts = talking({bye});
    CHECK(diagnose(facts).outcome == Outcome::answered);
    TcpConnection lost;
    lost.client = bye.source;
    lost.server = bye.destination;
    lost.accepted = true;
    lost.last_ns = 20 * second;
    lost.from_client = {.segments = 4, .again = 3, .unacknowledged_ns = 9 * second, .unacknowledged_frame = 40};
    facts.connections = {lost};
    CHECK(found(facts) == "connection-gone");
    CHECK(diagnose(facts).outcome == Outcome::hung);
}
