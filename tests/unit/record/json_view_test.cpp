#include "natkit/record/json_view.hpp"

#include <doctest/doctest.h>

#include "natkit/record/json_text.hpp"

using namespace natkit;

namespace {

std::string nested(std::size_t depth, const std::string& inside) {
    return R"({"a":)" + std::string(depth - 1, '[') + inside + std::string(depth - 1, ']') + "}";
}

}  // namespace

TEST_CASE("record::ObjectReader: values of each type, and nothing where another type is asked for") {
    record::ObjectReader reader;
    const auto object = reader.read(
        R"( {"text":"a\u00e9\n\u0000b","yes":true,"most":18446744073709551615,"less":-7,"part":1.5,"null":null,)"
        R"("list":["x",2,{}],"object":{"k":"v"},"twice":1,"twice":"last"}  )");
    REQUIRE(object.has_value());
    CHECK(object->string("text") == std::string_view("a\xc3\xa9\n\0b", 6));
    CHECK(object->find("yes")->flag() == true);
    CHECK(object->find("most")->number() == UINT64_MAX);
    CHECK(object->find("less")->whole_number() == -7);
    CHECK(object->find("object")->object()->string("k") == "v");
    CHECK(object->string("twice") == "last");
    const auto list = object->find("list")->list();
    REQUIRE(list.has_value());
    REQUIRE(list->size() == 3);
    CHECK((*list)[0].string() == "x");
    CHECK((*list)[1].number() == 2U);

    CHECK_FALSE(object->contains("other"));
    CHECK_FALSE(object->contains("tex"));
    CHECK_FALSE(object->string("yes").has_value());
    CHECK_FALSE(object->find("text")->number().has_value());
    CHECK_FALSE(object->find("text")->object().has_value());
    CHECK_FALSE(object->find("object")->list().has_value());
    CHECK_FALSE(object->find("null")->flag().has_value());
    CHECK_FALSE(object->find("part")->number().has_value());
    CHECK_FALSE(object->find("less")->number().has_value());
    CHECK_FALSE(object->find("most")->whole_number().has_value());
}

TEST_CASE("record::ValueView: its text is that of the value, without white space") {
    record::ObjectReader reader;
    const auto object = reader.read(R"({"v": {"a" : [ 1, -2, 0.5, "\u00e9\"\\\n" , null, true ] , "b":{ } } })");
    REQUIRE(object.has_value());
    CHECK(object->find("v")->text() == "{\"a\":[1,-2,0.5,\"\xc3\xa9\\\"\\\\\\n\",null,true],\"b\":{}}");
    CHECK(object->find("v")->object()->find("a")->list()->at(3).text() == "\"\xc3\xa9\\\"\\\\\\n\"");
}

TEST_CASE("record::ObjectView: the text of a member, as it was written or anew") {
    struct Case {
        const char* why;
        const char* object;
        const char* text;
    };
    const Case cases[] = {
        {"an object, braces and quotes in its strings", R"({"a":1,"v":{"x":"}\"],","y":[{},"{"]},"z":2})",
         R"({"x":"}\"],","y":[{},"{"]})"},
        {"white space around it", "{ \"v\" :\t{\"x\":1} }", R"({"x":1})"},
        {"white space in it", R"({"v":{"x": 1}})", R"({"x":1})"},
        {"white space in a string", R"({"v":{"x":"a b"}})", R"({"x":"a b"})"},
        {"escapes in it", R"({"v":{"x":"\u0061"}})", R"({"x":"a"})"},
        {"numbers", R"({"v":[0,-7,10]})", "[0,-7,10]"},
        {"numbers that are written in several ways", R"({"v":[0.50,1e2,-0]})", "[0.5,100.0,0]"},
        {"words", R"({"v":[true,false,null]})", "[true,false,null]"},
        {"a string", R"({"v":"a,b}","w":0})", R"("a,b}")"},
        {"the last of two", R"({"v":1,"v":[2]})", "[2]"},
        {"not one within another", R"({"o":{"v":1}})", ""},
        {"nor one that only begins so", R"({"vv":1,"w":"v"})", ""},
        {"none", "{}", ""},
        {"a name by escapes", R"({"\u0076":{"x": 1}})", R"({"x":1})"},
        {"a name by escapes after another", R"({"v":1,"\u0076":2,"z":3})", "2"},
    };
    record::ObjectReader reader;
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto object = reader.read(c.object);
        REQUIRE(object.has_value());
        CHECK(object->text_of("v") == c.text);
    }
    const auto object = reader.read(R"({"o":{"v":{"x": 1}}})");
    REQUIRE(object.has_value());
    CHECK(object->find("o")->object()->text_of("v") == R"({"x":1})");
}

TEST_CASE("record::ObjectReader: what is no object is an error that shows it") {
    struct Case {
        const char* why;
        std::string text;
        const char* message;
    };
    const Case cases[] = {
        {"nothing", "", "not a JSON object: ''"},
        {"another value", "[1]", "not a JSON object: '[1]'"},
        {"half a string", R"({"a)", R"(not a JSON object: '{"a')"},
        {"something after it", "{}{}", "not a JSON object: '{}{}'"},
        {"a comma too many", R"({"a":1,})", R"(not a JSON object: '{"a":1,}')"},
        {"a number beyond any", R"({"a":1e400})", R"(not a JSON object: '{"a":1e400}')"},
        {"a leading zero", R"({"a":01})", R"(not a JSON object: '{"a":01}')"},
        {"half a surrogate pair", R"({"a":"\udc00"})", R"(not a JSON object: '{"a":"\udc00"}')"},
        {"a control character", "{\"a\":\"\x01\"}", R"(not a JSON object: '{"a":"\x01"}')"},
        {"not UTF-8", "{\"a\":\"\xff\"}", R"(not a JSON object: '{"a":"\xff"}')"},
        {"a surrogate in UTF-8", "{\"a\":\"\xed\xb0\x80\"}", R"(not a JSON object: '{"a":"\xed\xb0\x80"}')"},
        {"a zero byte", std::string("{}\0", 3), R"(not a JSON object: '{}\x00')"},
        {"too deep", nested(65, "1"), "nested too deep"},
        {"too deep, and not even closed", std::string(100, '['), "nested too deep"},
        {"brackets in a string", R"({"a":")" + std::string(40, '[') + "\\\"" + std::string(40, '['),
         R"(not a JSON object: '{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[[[[[[[[[[[[…')"},
    };
    record::ObjectReader reader;
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto read = reader.read(c.text);
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code == Errc::bad_input);
        CHECK(read.error().message == c.message);
    }
    CHECK(reader.read(nested(64, "1")).has_value());
    CHECK(record::ObjectReader(65).read(nested(65, "1")).has_value());
}

TEST_CASE("record::ObjectReader: it reads lines of any length one after the other, wherever they end") {
    record::ObjectReader reader;
    for (const std::size_t size : {0U, 10U, 4090U, 5000U, 1U << 20, 3U, 70000U, 1U}) {
        const std::string value(size, 'x');
        record::ObjectText text;
        text.text("value", value);
        const std::string whole = text.close();
        const std::string exact(whole.begin(), whole.end());
        const auto read = reader.read(exact);
        REQUIRE(read.has_value());
        CHECK(read->string("value") == value);
    }
}
