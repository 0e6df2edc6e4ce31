#include "natkit/record/lease.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("record::parse_lease: what a node says of itself") {
    const cluster::LeaseValue value{
        .boot = "c0ffee/7",
        .epoch = UINT64_MAX,
        .addresses = {IpAddress::parse("192.0.2.1").value(), IpAddress::parse("2001:db8::1").value()}};
    record::ObjectReader reader;
    const std::string text = record::lease_text(value);
    CHECK(text == R"({"boot":"c0ffee/7","epoch":18446744073709551615,"addresses":["192.0.2.1","2001:db8::1"]})");
    CHECK(record::parse_lease(text, reader).value() == value);
    CHECK(record::parse_lease(R"({"boot":"x","epoch":0,"addresses":[],"novelty":1})", reader).value().boot == "x");
    CHECK(record::parse_lease(R"({"boot":"x","epoch":0,"addresses":["::1","::1"]})", reader).value().addresses.size() ==
          1);

    struct Case {
        const char* why;
        std::string text;
        const char* where;
    };
    std::string many;
    for (std::size_t i = 0; i <= cluster::most_lease_addresses; ++i)
        many += (i == 0 ? "" : ",") + std::string("\"::1\"");
    const Case cases[] = {
        {"no object", "[]", ""},
        {"no boot", R"({"epoch":1,"addresses":[]})", "boot"},
        {"an empty one", R"({"boot":"","epoch":1,"addresses":[]})", "boot"},
        {"a long one", R"({"boot":")" + std::string(cluster::longest_boot + 1, 'x') + R"(","epoch":1,"addresses":[]})",
         "boot"},
        {"no epoch", R"({"boot":"x","addresses":[]})", "epoch"},
        {"an epoch below 0", R"({"boot":"x","epoch":-1,"addresses":[]})", "epoch"},
        {"no addresses", R"({"boot":"x","epoch":1})", "addresses"},
        {"a name", R"({"boot":"x","epoch":1,"addresses":["edge-a"]})", "addresses"},
        {"no text", R"({"boot":"x","epoch":1,"addresses":[7]})", "addresses"},
        {"too many", R"({"boot":"x","epoch":1,"addresses":[)" + many + "]}", "addresses"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto read = record::parse_lease(c.text, reader);
        REQUIRE_FALSE(read);
        CHECK(read.error().where == c.where);
    }
}
