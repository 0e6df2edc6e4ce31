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
