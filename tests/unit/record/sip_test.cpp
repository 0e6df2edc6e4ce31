#include "natkit/record/sip.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace natkit;

TEST_CASE("record::sip: there and back, whatever the bytes") {
    for (const std::string_view bytes : {"plain", "gr\xc3\xbc\xc3\x9f", "bad \xff\xfe", "\xed\xa0\x80", "a\xc0\x80",
                                         "\xf4\x90\x80\x80", "abc\xff", "ab\xff"}) {
        CAPTURE(bytes);
        const record::Sip sip{.time = "t",
                              .frame = 7,
                              .transport = "udp",
                              .source = *Endpoint::parse("203.0.113.9:1024"),
                              .destination = *Endpoint::parse("[2001:db8::1]:5060"),
                              .message = std::string(bytes)};
        const std::string line =
            record::to_line(record::to_json(sip, {.method = "INVITE", .call_id = "x", .cseq = "1 INVITE"}));
        CHECK(line.starts_with("{\"type\":\"sip\",\"time\":\"t\",\"frame\":7,"));
        const auto json = record::parse_line(line);
        REQUIRE(json);
        const auto back = record::read_sip(*json);
        REQUIRE(back);
        CHECK(back->message == bytes);
        CHECK(back->source == sip.source);
        CHECK(back->destination == sip.destination);
        CHECK(back->frame == 7);
    }
}

TEST_CASE("record: what is refused") {
    struct Case {
        const char* why;
        const char* line;
        const char* message;
    };
    constexpr Case cases[] = {
        {"not JSON", "hello", "not a JSON object"},
        {"not an object", "[1]", "not a JSON object"},
        {"two objects", "{} {}", "not a JSON object"},
        {"no message", "{\"type\":\"sip\"}", "message: missing"},
        {"message of another type", "{\"message\":5}", "message: not a text"},
        {"bad base64", "{\"message_base64\":\"?\"}", "message_base64: not base64"},
        {"bad source", "{\"message\":\"x\",\"source\":\"here:1\"}", "source: not an address: 'here'"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto json = record::parse_line(c.line);
        const auto sip = json ? record::read_sip(*json) : std::unexpected(json.error());
        REQUIRE_FALSE(sip);
        CHECK(sip.error().message == c.message);
    }
    CHECK_FALSE(record::parse_line("{\"a\":" + std::string(100'000, '[')));
    std::string keys = "{";
    for (int i = 0; i < 400'000; ++i) keys += "\"" + std::to_string(i) + "\":1,";
    CHECK_FALSE(record::parse_line(keys + "\"z\":1}"));  // it was half an hour
    std::string arrays = "{\"a\":[";
    for (int i = 0; i < 1'000'000; ++i) arrays += "[],";
    CHECK_FALSE(record::parse_line(arrays + "1]}"));
    std::string fair = "{";
    for (int i = 0; i < 1000; ++i) fair += "\"" + std::to_string(i) + "\":{\"x\":[1,2,3]},";
    CHECK(record::parse_line(fair + "\"z\":1}"));
}

TEST_CASE("record::time_text: microseconds in UTC") {
    CHECK(record::time_text(0) == "1970-01-01T00:00:00.000000Z");
    CHECK(record::time_text(1767323045678901999) == "2026-01-02T03:04:05.678901Z");
    CHECK(record::time_text(-1) == "1969-12-31T23:59:59.999999Z");
}
