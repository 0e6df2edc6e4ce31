#include "natkit/record/ng_json.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::ng;
using record::parse_ng_json;
using record::to_ng_json;

namespace {

std::string repeated(std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
}

}  // namespace

TEST_CASE("record::parse_ng_json: what JSON has and bencode too, and what only JSON has") {
    struct Case {
        const char* why;
        const char* text;
        Value want;
    };
    const Case cases[] = {
        {"a ping", R"({"command":"ping"})", Dictionary{{"command", "ping"}}},
        {"lists and numbers", R"( {"flags":["a"],"TOS":184,"x":[{}]} )",
         Dictionary{{"flags", List{"a"}}, {"TOS", std::int64_t{184}}, {"x", List{Dictionary{}}}}},
        {"a key comes twice, and they stay in order", R"({"b":"1","a":[],"b":"2"})",
         Dictionary{{"b", "1"}, {"a", List{}}, {"b", "2"}}},
        {"escapes", R"({"sdp":"v=0\r\n\u0000"})", Dictionary{{"sdp", std::string("v=0\r\n\0", 6)}}},
        {"true and false", "[true,false]", List{std::int64_t{1}, std::int64_t{0}}},
        {"null", "[null]", List{""}},
        {"a fraction", "[1.50]", List{"1.50"}},
        {"negative, and the largest", "[-3,9223372036854775807]", List{std::int64_t{-3}, std::int64_t{INT64_MAX}}},
        {"larger still", "[9223372036854775808]", List{"9223372036854775808"}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto value = parse_ng_json(c.text);
        REQUIRE(value.has_value());
        CHECK(*value == c.want);
    }
}

TEST_CASE("record::parse_ng_json: what it refuses") {
    struct Case {
        const char* why;
        std::string text;
        const char* where;
        const char* message;
    };
    const Case cases[] = {
        {"nothing at all", "", "byte 1", "not JSON"},
        {"no end", R"({"a")", "byte 5", "not JSON"},
        {"something behind it", "{} x", "byte 4", "not JSON"},
        {"bytes that are no UTF-8", "[\"\xff\"]", "byte 3", "not JSON"},
        {"too deep", repeated("[", 17), "", "nested too deep"},
        {"too many", "[" + repeated("0,", 4095) + "0]", "", "too many values"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto value = parse_ng_json(c.text);
        REQUIRE_FALSE(value.has_value());
        CHECK(value.error().where == c.where);
        CHECK(value.error().message == c.message);
    }
    CHECK(parse_ng_json(repeated("[", 16) + repeated("]", 16)).has_value());
}

TEST_CASE("record::to_ng_json: the order of the reply, and any bytes") {
    const Dictionary reply{
        {"result", "ok"}, {"n", List{std::int64_t{-1}, "x\"\n"}}, {"a", Dictionary{{"result", List{}}}}};
    CHECK(to_ng_json(reply) == R"({"result":"ok","n":[-1,"x\"\n"],"a":{"result":[]}})");
    CHECK(parse_ng_json(to_ng_json(reply)) == Value(reply));
    CHECK(to_ng_json({{"\xff", "\xff"}}) == "{\"\uFFFD\":\"\uFFFD\"}");
}
