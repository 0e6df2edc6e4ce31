#include "natkit/record/replica.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("record::Envelope: what is written is read back") {
    record::ObjectReader reader;
    const cluster::Replica replica{.version = {.epoch = 3, .seq = 17},
                                   .clock_ms = -42,
                                   .record = R"({"contact":"sip:b","n":{"x":[1]}})",
                                   .round = 0};
    const std::string text = record::envelope_text("binding:\"b\"", replica);
    const auto read = record::parse_envelope(text, reader);
    REQUIRE(read);
    CHECK(read->key == "binding:\"b\"");
    CHECK_FALSE(read->gone);
    CHECK(read->replica.version == replica.version);
    CHECK(read->replica.clock_ms == -42);
    CHECK(read->replica.record == replica.record);
    const auto gone = record::parse_envelope(record::gone_text("leg:1", {.epoch = 3, .seq = 18}), reader);
    REQUIRE(gone);
    CHECK(gone->gone);
    CHECK(gone->replica.version == cluster::Version{.epoch = 3, .seq = 18});
}

TEST_CASE("record::Envelope: anything else is an error that names the member") {
    struct Case {
        const char* why;
        std::string text;
        const char* where;
    };
    const Case cases[] = {
        {"no object", "[]", ""},
        {"no JSON", R"({"v":)", ""},
        {"no key", R"({"v":[1,2],"record":{}})", "key"},
        {"a key of no replica", R"({"v":[1,2],"key":"user:1","record":{}})", "key"},
        {"no version", R"({"key":"leg:1","record":{}})", "v"},
        {"half a version", R"({"v":[1],"key":"leg:1","record":{}})", "v"},
        {"a version below zero", R"({"v":[1,-2],"key":"leg:1","record":{}})", "v"},
        {"clocks that cannot be so far apart", R"({"v":[1,2],"c":-9223372036854775807,"key":"leg:1","record":{}})",
         "c"},
        {"no record", R"({"v":[1,2],"key":"leg:1"})", "record"},
        {"a record that is no object", R"({"v":[1,2],"key":"leg:1","record":"x"})", "record"},
        {"a record that is too long",
         R"({"v":[1,2],"key":"leg:1","record":{"x":")" + std::string(cluster::longest_record, 'x') + "\"}}", "record"},
    };
    record::ObjectReader reader;
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto read = record::parse_envelope(c.text, reader);
        REQUIRE_FALSE(read);
        CHECK(read.error().where == c.where);
    }
    CHECK(record::parse_envelope(R"({"v":[1,2],"key":"leg:1","record":{},"later":true})", reader));
}

TEST_CASE("record::other_members: what another version has written is kept") {
    const std::vector<std::string> known = {"a", "b"};
    CHECK(record::other_members(R"({"a":1,"b":2})", known).empty());
    CHECK(record::other_members(R"({"a":1,"z":{"y":[1,"\n"]},"q":null})", known) == R"("z":{"y":[1,"\n"]},"q":null)");
    CHECK(record::other_members("[1]", known).empty());
    CHECK(record::with_members(R"({"a":1})", R"("z":2)") == R"({"a":1,"z":2})");
    CHECK(record::with_members("{}", R"("z":2)") == R"({"z":2})");
    CHECK(record::with_members(R"({"a":1})", "") == R"({"a":1})");
}

TEST_CASE("record::ReplicaRequest: where its part of a whole set stands, and how far the writer's clock is ahead") {
    struct Case {
        const char* text;
        const char* where;  ///< of the error; null: it is read
        bool begins = false;
        bool ends = false;
        std::int64_t ahead = 0;
        std::size_t records = 0;
    };
    const Case cases[] = {
        {R"({"records":[]})", nullptr},
        {R"({"records":[{},{}],"whole":"begin","ahead_ms":-5})", nullptr, true, false, -5, 2},
        {R"({"records":[{}],"whole":"end"})", nullptr, false, true, 0, 1},
        {R"({"records":[],"whole":"both"})", nullptr, true, true},
        {R"({"records":[],"whole":"all"})", "whole"},
        {R"({"records":[],"whole":1})", "whole"},
        {R"({"records":{}})", "records"},
        {R"({})", nullptr},
        {R"({"records":[],"ahead_ms":"1"})", "ahead_ms"},
        {R"({"records":[],"ahead_ms":9223372036854775807})", "ahead_ms"},
    };
    record::ObjectReader reader;
    for (const Case& c : cases) {
        CAPTURE(c.text);
        const auto object = reader.read(c.text);
        const auto read = record::parse_replica_request(*object);
        REQUIRE(read.has_value() == (c.where == nullptr));
        if (c.where != nullptr) {
            CHECK(read.error().where == c.where);
            continue;
        }
        CHECK(read->begins == c.begins);
        CHECK(read->ends == c.ends);
        CHECK(read->ahead.count() == c.ahead);
        CHECK(read->records.size() == c.records);
    }
}
