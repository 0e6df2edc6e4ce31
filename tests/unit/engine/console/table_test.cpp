#include "natkit/engine/console/table.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <numeric>

using namespace natkit::console;

namespace {

std::string id_of(const Json& record) {
    return text_of(record, "call_id");
}

Json call(const char* id, const char* from, double duration_s, double lost, double jitter_ms) {
    return {{"type", "call"},
            {"call_id", id},
            {"from", from},
            {"to", "sip:bob@example.com"},
            {"state", "established"},
            {"duration_s", duration_s},
            {"quality", {{"packets", 100}, {"lost", lost}, {"jitter_ms", jitter_ms}, {"audio", "two-way"}}}};
}

std::string order_of(const Table& table) {
    std::string ids;
    for (std::size_t i = 0; i < table.size(); ++i) ids += table.row(i).id;
    return ids;
}

std::size_t column(const Table& table, std::string_view name) {
    for (std::size_t i = 0; i < table.columns().size(); ++i)
        if (table.columns()[i].name == name) return i;
    FAIL("no such column");
    return 0;
}

/// a, b and c differ in each; d rings, and nothing is known of its media.
Table calls() {
    Table table(call_columns(), id_of, reasons_of);
    Json ringing = {{"call_id", "d"}, {"from", "sip:Dora@example.com"}, {"to", "sip:x"}, {"state", "setting-up"}};
    table.take({call("a", "sip:carol@example.com", 7, 0, 12.5), call("b", "sip:alice@example.com", 4000, 25, 3),
                call("c", "sip:Bert@example.com", 65, 3, 100), ringing});
    return table;
}

}  // namespace

TEST_CASE("console::Table: sorted by a column, the other way round, and what has no value last") {
    struct Case {
        const char* column;
        const char* order;
        const char* turned;
    };
    constexpr Case cases[] = {
        {"FROM", "bcad", "dacb"},  // whatever the letters' case
        {"TIME", "bcad", "acbd"},  // the longest first
        {"LOSS", "bcad", "acbd"}, {"JITTER", "cabd", "bacd"}, {"STATE", "dabc", "abcd"},
    };
    Table table = calls();
    CHECK(order_of(table) == "abcd");
    for (const Case& c : cases) {
        CAPTURE(c.column);
        table.sort(column(table, c.column));
        CHECK(order_of(table) == c.order);
        table.turn();
        CHECK(order_of(table) == c.turned);
    }
    table.sort(std::nullopt);
    CHECK(order_of(table) == "abcd");
    table.turn();
    CHECK(order_of(table) == "dcba");
}

TEST_CASE("console::Table: a filter finds a text anywhere in a record") {
    Table table = calls();
    table.filter("ALICE@");
    CHECK(order_of(table) == "b");
    table.filter("setting-up");
    CHECK(order_of(table) == "d");
    table.filter("nobody");
    CHECK(table.size() == 0);
    CHECK(table.total() == 4);
    table.filter("");
    CHECK(order_of(table) == "abcd");
}

TEST_CASE("console::Table: what the columns of calls show") {
    const Table table = calls();
    const auto text = [&](std::size_t row, const char* name) { return table.row(row).cells[column(table, name)].text; };
    CHECK(text(0, "FROM") == "carol@example.com");
    CHECK(text(1, "TIME") == "1:06:40");
    CHECK(text(2, "TIME") == "1:05");
    CHECK(text(1, "LOSS") == "20.0 %");
    CHECK(text(0, "JITTER") == "12.5 ms");
    CHECK(text(0, "AUDIO") == "two-way");
    CHECK(text(3, "STATE") == "rings");
    CHECK(text(3, "LOSS").empty());
    Table other(call_columns(), id_of, reasons_of);
    other.take({{{"call_id", "x"}, {"asked_by", "ng"}, {"a", {{"source", "192.0.2.1"}}}},
                {{"call_id", "x"}, {"a", nullptr}, {"duration_s", "much"}, {"quality", 4}}});
    CHECK(other.row(0).cells[0].text == "192.0.2.1");
    CHECK(other.row(0).id == "x");
    CHECK(other.row(1).id == "x#1");
}

TEST_CASE("console::widths_of: as many columns as fit, and none wider than the terminal") {
    for (const auto& columns : {call_columns(), client_columns()}) {
        std::size_t before = 0;
        for (std::size_t total = 1; total <= 300; ++total) {
            CAPTURE(total);
            const auto widths = widths_of(columns, total);
            REQUIRE(!widths.empty());
            const std::size_t used = std::accumulate(widths.begin(), widths.end(), widths.size() - 1);
            CHECK(used == total);  // some column grows
            CHECK(widths.size() >= before);
            before = widths.size();
        }
        CHECK(before == columns.size());
    }
    CHECK(widths_of(call_columns(), 40).size() == 3);
    CHECK(widths_of(call_columns(), 80).size() == 7);  // with loss, jitter and audio
}
