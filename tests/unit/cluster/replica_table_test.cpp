#include "natkit/cluster/replica_table.hpp"

#include <doctest/doctest.h>

using namespace natkit::cluster;

namespace {

Replica replica(std::uint64_t epoch, std::uint64_t seq, std::string record = "{}") {
    return {.version = {.epoch = epoch, .seq = seq}, .clock_ms = 0, .record = std::move(record), .round = 0};
}

}  // namespace

TEST_CASE("cluster::kind_of: keys of replicas, and no others") {
    struct Case {
        const char* why;
        std::string key;
        std::optional<Kind> want;
    };
    const Case cases[] = {
        {"a leg", "leg:7", Kind::leg},
        {"a registration", "binding:7", Kind::binding},
        {"no id", "leg:", std::nullopt},
        {"another kind", "dialog:7", std::nullopt},
        {"empty", "", std::nullopt},
        {"as long as a key may be", "leg:" + std::string(longest_key - 4, 'x'), Kind::leg},
        {"longer", "leg:" + std::string(longest_key - 3, 'x'), std::nullopt},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CHECK(kind_of(c.key) == c.want);
    }
}

TEST_CASE("cluster::ReplicaTable: only what is newer is taken") {
    struct Case {
        const char* why;
        std::uint64_t epoch;
        std::uint64_t seq;
        bool want;
    };
    constexpr Case cases[] = {
        {"the next write", 2, 6, true},
        {"the same again", 2, 5, false},
        {"an earlier one", 2, 4, false},
        {"the first of a later promotion", 3, 1, true},
        {"the last of an earlier promotion", 1, 99, false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        ReplicaTable table;
        CHECK(table.put("leg:1", replica(2, 5, "old")));
        CHECK(table.put("leg:1", replica(c.epoch, c.seq, "new")) == c.want);
        CHECK(table.find("leg:1")->record == (c.want ? "new" : "old"));
        ReplicaTable other;
        CHECK(other.put("leg:1", replica(2, 5)));
        CHECK(other.drop("leg:1", {.epoch = c.epoch, .seq = c.seq}) == c.want);
        CHECK(other.count(Kind::leg) == (c.want ? 0 : 1));
    }
}

TEST_CASE("cluster::ReplicaTable: what a round does not name is left over, of its kind") {
    ReplicaTable table;
    for (const char* key : {"leg:1", "leg:2", "leg:3", "binding:1"}) CHECK(table.put(key, replica(1, 1)));
    CHECK(table.count(Kind::leg) == 3);
    CHECK(table.count(Kind::binding) == 1);
    CHECK(table.size() == 4);
    table.begin_round(Kind::leg);
    table.touch("leg:1");
    CHECK(table.put("leg:2", replica(1, 2)));
    CHECK(table.left_over(Kind::leg) == std::vector<std::string>{"leg:3"});
    CHECK(table.left_over(Kind::binding).empty());
    CHECK_FALSE(table.drop("leg:4", {.epoch = 9, .seq = 9}));
    table.clear();
    CHECK(table.count(Kind::leg) == 0);
    CHECK(table.find("leg:1") == nullptr);
}
