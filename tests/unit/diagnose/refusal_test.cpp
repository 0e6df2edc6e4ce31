#include <algorithm>

#include "made_calls.hpp"

using namespace natkit::diagnose;

namespace {

Request invite(int status, bool credentials = false, std::uint32_t cseq = 1) {
    Request request{.method = "INVITE", .cseq = cseq, .source = endpoint("203.0.113.9:5060"), .copies = 1};
    request.destination = endpoint("203.0.113.20:5060");
    request.frame = cseq * 2;
    request.vias = 1;
    request.credentials = credentials;
    request.status = status;
    if (status != 0) request.responses = {{.status = status, .frame = cseq * 2 + 1, .reason = "Because"}};
    return request;
}

CallFacts failed(std::vector<Request> requests) {
    CallFacts facts = direct_call();
    facts.call.answered = false;
    facts.call.descriptions.pop_back();
    facts.call.failure = requests.back().status == 401 || requests.back().status == 407 ? 0 : requests.back().status;
    facts.call.requests = std::move(requests);
    return facts;
}

}  // namespace

TEST_CASE("diagnose: calls that were refused, by what and whether it is a fault") {
    struct Row {
        const char* why;
        std::vector<Request> requests;
        const char* want;
        bool broken;
        Outcome outcome;
    };
    const Row rows[] = {
        {"forbidden", {invite(403)}, "refused", true, Outcome::refused},
        {"busy", {invite(486)}, "refused", false, Outcome::refused},
        {"declined", {invite(603)}, "refused", false, Outcome::refused},
        {"sent elsewhere", {invite(302)}, "refused", false, Outcome::refused},
        {"nobody there", {invite(480)}, "not-answered", false, Outcome::no_answer},
        {"waited for in vain", {invite(408)}, "timed-out", true, Outcome::refused},
        {"not acceptable", {invite(488)}, "no-common-codec", true, Outcome::refused},
        {"a challenge, and silence", {invite(401)}, "refused", true, Outcome::refused},
        {"wrong credentials", {invite(401), invite(401, true, 2)}, "refused", true, Outcome::refused},
        {"challenged, then refused", {invite(407), invite(403, true, 2)}, "refused", true, Outcome::refused},
        {"nothing came", {invite(0)}, "not-answered", false, Outcome::no_answer},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        const CallFacts facts = failed(c.requests);
        CHECK(found(facts) == c.want);
        const Diagnosis result = diagnose(facts);
        CHECK(result.broken() == c.broken);
        CHECK(result.outcome == c.outcome);
        CHECK(result.status == c.requests.back().status);
    }
}

TEST_CASE("diagnose: 488 to an offer of SRTP is about that") {
    CallFacts facts = failed({invite(488)});
    facts.call.descriptions[0].streams[0].encryption = Encryption::sdes;
    CHECK(found(facts) == "srtp-mismatch");
}

TEST_CASE("diagnose: the caller gives up") {
    CallFacts facts = failed({invite(487)});
    facts.call.requests.push_back({.method = "CANCEL", .cseq = 1, .copies = 1, .status = 200});
    CHECK(found(facts) == "cancelled");
    CHECK_FALSE(diagnose(facts).broken());
    CHECK(diagnose(facts).outcome == Outcome::no_answer);
}

TEST_CASE("diagnose: the user was not registered") {
    using State = Registration::State;
    struct Row {
        const char* why;
        State state;
        int status;
        const char* want;
        const char* words;
    };
    constexpr Row rows[] = {
        {"it took its registration back", State::removed, 404, "not-registered (refused)",
         "removed its registration in frame 5"},
        {"it was not renewed", State::expired, 480, "not-registered (not-answered)",
         "was for 60 s and was not renewed"},
        {"it never got one", State::refused, 480, "not-registered (not-answered)", "refused with 403 in frame 5"},
        {"it is registered: the 480 is its own", State::registered, 480, "not-answered", ""},
        {"another reason", State::expired, 486, "refused", ""},
    };
    for (const Row& c : rows) {
        CAPTURE(c.why);
        CallFacts facts = failed({invite(c.status)});
        facts.call.first_ns = 200 * second;
        facts.call.callee_registration =
            Registration{.state = c.state, .frame = 5, .time_ns = 100 * second, .expires = 60, .status = 403};
        CHECK(found(facts) == c.want);
        CHECK(sentence(facts).find(c.words) != std::string::npos);
    }
}

TEST_CASE("diagnose: a registration that was refused") {
    const auto registered = [](std::vector<Request> requests) {
        CallFacts facts;
        facts.call.registration = true;
        facts.call.names = {"alice@example.com", "alice@example.com"};
        for (Request& one : requests) one.method = "REGISTER";
        facts.call.requests = std::move(requests);
        facts.capture_end_ns = 100 * second;
        return facts;
    };
    CallFacts wrong = registered({invite(401), invite(401, true, 2)});
    CHECK(found(wrong) == "refused");
    CHECK(sentence(wrong).ends_with("the user name or the password is wrong."));
    CHECK(diagnose(wrong).outcome == Outcome::refused);
    wrong.call.requests[1].responses[0].stale = true;  // only its nonce was too old
    CHECK(found(wrong).empty());
    CallFacts none = registered({invite(401), invite(401, false, 2)});
    for (Request& one : none.call.requests) one.responses[0].last_ns = 99 * second;
    CHECK(found(none) == "refused");
    none.call.requests.pop_back();  // it may try again
    CHECK(found(none).empty());
    const CallFacts fine = registered({invite(401), invite(200, true, 2)});
    CHECK(found(fine).empty());
    CHECK(diagnose(fine).outcome == Outcome::answered);
}
