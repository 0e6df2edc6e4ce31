#include "natkit/record/json_members.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace natkit;

TEST_CASE("record: a member of another type is not there") {
    const auto object = nlohmann::ordered_json::parse(
        R"({"text":"one","flag":true,"list":["a",2],"where":"192.0.2.1:4000","number":7,"nothing":null})");
    CHECK(record::text_of(object, "text") == "one");
    CHECK(record::flag_of(object, "flag"));
    CHECK(record::list_of(object, "list").size() == 2);
    CHECK(record::endpoint_of(object, "where") == *Endpoint::parse("192.0.2.1:4000"));
    for (const char* key : {"number", "nothing", "missing"}) {
        CAPTURE(key);
        CHECK(record::text_of(object, key).empty());
        CHECK_FALSE(record::flag_of(object, key));
        CHECK(record::list_of(object, key).empty());
        CHECK_FALSE(record::endpoint_of(object, key));
    }
    CHECK_FALSE(record::endpoint_of(object, "text"));
    for (const char* text : {"[1]", "\"text\"", "3", "null"}) {
        CAPTURE(text);
        CHECK(record::text_of(nlohmann::ordered_json::parse(text), "text").empty());
    }
}
