#include "natkit/record/json_text.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace natkit;
using Json = nlohmann::ordered_json;

TEST_CASE("record::ObjectText: what a parser reads back") {
    record::ObjectText object;
    CHECK(record::ObjectText().close() == "{}");
    object.text("plain", "198.51.100.7:5060");
    object.text("odd", "\"\\\r\n\x01 \xc3\xa9");
    object.text("broken", "a\xff");
    object.flag("yes", true);
    object.number("count", -7);
    object.raw("list", "[1,2]");
    const Json read = Json::parse(object.close());
    CHECK(read == Json{{"plain", "198.51.100.7:5060"},
                       {"odd", "\"\\\r\n\x01 \xc3\xa9"},
                       {"broken", "a\xef\xbf\xbd"},
                       {"yes", true},
                       {"count", -7},
                       {"list", {1, 2}}});
}

TEST_CASE("record::ObjectText: what needs an escape is found wherever it stands") {
    for (std::size_t size = 1; size < 20; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (unsigned byte = 0; byte < 0x80; ++byte) {
                std::string value(size, at % 2 == 0 ? ' ' : '~');
                value[at] = static_cast<char>(byte);
                record::ObjectText object;
                object.text("k", value);
                const std::string want = R"({"k":)" + Json(value).dump() + "}";
                if (object.close() != want) FAIL(size << " bytes, " << byte << " at " << at);
            }
        }
    }
}

TEST_CASE("record::ObjectText: objects within, endpoints, numbers, behind other text") {
    record::ObjectText object("before ");
    object.enter("empty");
    object.leave();
    object.enter("inner");
    object.number("least", INT64_MIN);
    object.enter("deeper");
    object.text("v4", Endpoint::parse("255.10.0.1:65535").value());
    object.text("v6", Endpoint::parse("[1111:2222:3333:4444:5555:6666:7777:8888]:1").value());
    object.leave();
    object.text("address", IpAddress::parse("2001:db8::").value());
    object.text("brace", "{");
    object.leave();
    object.text("", std::string_view());
    CHECK(object.close() ==
          R"(before {"empty":{},"inner":{"least":-9223372036854775808,"deeper":{"v4":"255.10.0.1:65535",)"
          R"("v6":"[1111:2222:3333:4444:5555:6666:7777:8888]:1"},"address":"2001:db8::","brace":"{"},"":""})");
}
