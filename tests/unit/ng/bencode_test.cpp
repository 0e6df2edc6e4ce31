#include "natkit/ng/bencode.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace natkit;
using namespace natkit::ng;

namespace {

std::string repeated(std::string_view part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
}

}  // namespace

TEST_CASE("ng::parse_bencode: what it takes") {
    struct Case {
        const char* why;
        std::string_view text;
        Value want;
    };
    const Case cases[] = {
        {"a string", "4:ping", "ping"},
        {"an empty string", "0:", ""},
        {"any bytes are a string", std::string_view("3:\0\r\xff", 5), std::string("\0\r\xff", 3)},
        {"a number", "i184e", std::int64_t{184}},
        {"a negative number", "i-1e", std::int64_t{-1}},
        {"an empty list", "le", List{}},
        {"a list within a list", "l1:ale1:be", List{"a", List{}, "b"}},
        {"keys are not sorted", "d1:b1:x1:ai0ee", Dictionary{{"b", "x"}, {"a", std::int64_t{0}}}},
        {"a key comes twice", "d1:a1:x1:al1:yee", Dictionary{{"a", "x"}, {"a", List{"y"}}}},
        {"the smallest number", "i-9223372036854775808e", std::int64_t{INT64_MIN}},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto value = parse_bencode(c.text);
        REQUIRE(value.has_value());
        CHECK(*value == c.want);
    }
}

TEST_CASE("ng::parse_bencode: what it refuses, and where") {
    struct Case {
        const char* why;
        std::string text;
        const char* where;
        const char* message;
    };
    const Case cases[] = {
        {"nothing at all", "", "byte 0", "a value is missing"},
        {"something behind it", "le4:ping", "byte 2", "something behind the value"},
        {"a length beyond the end", "5:ping", "byte 2", "a string longer than the message"},
        {"a length beyond all memory", "99999999999999999999:a", "byte 0", "not a number"},
        {"a negative length", "-1:a", "byte 0", "not a number"},
        {"a length without a colon", "4ping", "byte 1", "not a number"},
        {"no end of a number", "i12", "byte 3", "not a number"},
        {"a number of more than 64 bits", "i9223372036854775808e", "byte 1", "not a number"},
        {"a number of no digits", "ie", "byte 1", "not a number"},
        {"no end of a list", "l1:a", "byte 4", "a value is missing"},
        {"no end of a dictionary", "d1:a1:b", "byte 7", "not a number"},
        {"a key without a value", "d1:ae", "byte 4", "not a number"},
        {"a key that is a number", "di1e1:ae", "byte 1", "not a number"},
        {"seventeen lists", repeated("l", 17) + repeated("e", 17), "byte 16", "nested too deep"},
        {"too many values", "l" + repeated("0:", 4096) + "e", "byte 8191", "too many values"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto value = parse_bencode(c.text);
        REQUIRE_FALSE(value.has_value());
        CHECK(value.error().code == Errc::bad_input);
        CHECK(value.error().where == c.where);
        CHECK(value.error().message == c.message);
    }
    CHECK(parse_bencode(repeated("l", 16) + repeated("e", 16)).has_value());
    CHECK(parse_bencode("l" + repeated("0:", 4095) + "e").has_value());
}

TEST_CASE("ng::to_bencode: keys stay in their order, and reading gives the same") {
    const Dictionary reply{{"result", "ok"},
                           {"sdp", "v=0\r\n"},
                           {"totals", Dictionary{{"RTP", std::int64_t{-7}}}},
                           {"a", List{"x", List{}}}};
    const std::string text = to_bencode(reply);
    CHECK(text == "d6:result2:ok3:sdp5:v=0\r\n6:totalsd3:RTPi-7ee1:al1:xleee");
    CHECK(parse_bencode(text) == Value(reply));
}

TEST_CASE("ng::find: the first of several") {
    const Dictionary dictionary{{"a", "1"}, {"b", "2"}, {"a", "3"}};
    REQUIRE(find(dictionary, "a") != nullptr);
    CHECK(*find(dictionary, "a") == Value("1"));
    CHECK(find(dictionary, "A") == nullptr);
    CHECK(find({}, "a") == nullptr);
}
