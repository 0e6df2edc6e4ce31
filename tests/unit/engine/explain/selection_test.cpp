#include "natkit/engine/explain/selection.hpp"

#include <doctest/doctest.h>

#include "made.hpp"

using namespace natkit;
using namespace natkit::explain;
using namespace natkit::test;

namespace {

constexpr std::int64_t start = 1'700'000'000 * second;  // 2023-11-14T22:13:20Z

sip::Message message(const std::string& first_line, const std::string& more, const std::string& call_id = "1") {
    return *sip::Message::parse(first_line + "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCSeq: 1 INVITE\r\n" +
                                "Call-ID: " + call_id + "\r\n" + more + "\r\n");
}

}  // namespace

TEST_CASE("explain::parse_moment: what people write") {
    using Kind = Moment::Kind;
    struct Case {
        const char* text;
        std::optional<Moment> want;
    };
    const Case cases[] = {
        {"2023-11-14T22:13:20Z", Moment{Kind::absolute, start}},
        {"2023-11-14T22:13:20", Moment{Kind::absolute, start}},
        {"2023-11-14 22:13:20.25Z", Moment{Kind::absolute, start + second / 4}},
        {"2023-11-14T23:13:20+01:00", Moment{Kind::absolute, start}},
        {"2023-11-14T17:13-05:00", Moment{Kind::absolute, start - 20 * second}},
        {"22:13", Moment{Kind::time_of_day, (22 * 60 + 13) * 60 * second}},
        {"00:00:01.5", Moment{Kind::time_of_day, 3 * second / 2}},
        {"90", Moment{Kind::from_start, 90 * second}},
        {"0.001s", Moment{Kind::from_start, second / 1000}},
        {"", {}},
        {"s", {}},
        {"-5", {}},
        {"1.", {}},
        {"24:00", {}},
        {"10:60", {}},
        {"10:15:", {}},
        {"2023-02-30T00:00:00Z", {}},
        {"2023-11-14", {}},
        {"2023-11-14T22:13:20X", {}},
        {"1969-12-31T23:59:59Z", {}},
        {"99999999999999999999", {}},
        {"yesterday", {}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        const auto moment = parse_moment(c.text);
        REQUIRE(moment.has_value() == c.want.has_value());
        if (moment) CHECK(*moment == *c.want);
    }
}

TEST_CASE("explain::Selector: times, faults and Call-IDs") {
    const auto at = [](const char* text) { return *parse_moment(text); };
    const Selectable call{
        .call_id = "1", .first_ns = start + 10 * second, .last_ns = start + 70 * second, .faulty = false};
    struct Case {
        const char* why;
        Selection selection;
        bool want;
    };
    const Case cases[] = {
        {"nothing asked", {}, true},
        {"its Call-ID", {.call_id = "1"}, true},
        {"another", {.call_id = "2"}, false},
        {"only faulty ones", {.faulty = true}, false},
        {"it lasted into the time", {.from = at("60")}, true},
        {"it was over", {.from = at("71")}, false},
        {"it began in the time", {.to = at("10")}, true},
        {"it began later", {.to = at("9.9")}, false},
        {"both, within", {.from = at("20"), .to = at("30")}, true},
        {"time of day", {.from = at("22:14"), .to = at("22:15")}, true},
        {"time of day, too late", {.from = at("22:15")}, false},
        {"over midnight", {.from = at("22:00"), .to = at("01:00")}, true},
        {"absolute", {.from = at("2023-11-14T22:15:00Z")}, false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(Selector(c.selection).wants(call, start) == c.want);
    }
    CHECK_FALSE(Selector({.from = at("0")}).wants({.call_id = "1"}, start));  // it has no time
}

TEST_CASE("explain::Selector: users, wherever a message names them") {
    struct Case {
        const char* why;
        const char* user;
        bool want;
    };
    const Case cases[] = {
        {"From", "alice", true},
        {"To", "bob", true},
        {"the request URI", "carol", true},
        {"P-Asserted-Identity", "dave", true},
        {"a telephone number without its separators", "+15551234", true},
        {"a telephone number with others", "+1 (555) 12-34", true},
        {"of another call", "eve", false},
        {"nobody", "mallory", false},
        {"a host is no user", "example.com", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Selector selector({.user = c.user});
        selector.on_message(message("INVITE sip:carol@example.com SIP/2.0",
                                    "From: \"A\" <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n"));
        selector.on_message(message("SIP/2.0 200 OK",
                                    "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>;tag=2\r\n"
                                    "P-Asserted-Identity: <sip:dave@example.com>\r\n"
                                    "P-Asserted-Identity: <tel:+1-555-1234;phone-context=x>\r\n"));
        selector.on_message(message("INVITE sip:x@example.com SIP/2.0",
                                    "From: <sip:eve@example.com>;tag=1\r\nTo: <sip:x@example.com>\r\n", "2"));
        CHECK(selector.wants({.call_id = "1"}, start) == c.want);
    }
}
