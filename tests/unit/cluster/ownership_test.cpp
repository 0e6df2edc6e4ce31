#include "natkit/cluster/ownership.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::cluster;
using Claim = Ownership::Claim;
using Kind = Ownership::Effect::Kind;
using Why = Ownership::Why;

namespace {

Owner owner(const char* node, std::uint64_t epoch) {
    return {.version = 1, .epoch = epoch, .node = node, .state = "s", .stream = "t", .after = {}};
}

std::vector<Kind> kinds(const Ownership::Effects& effects) {
    std::vector<Kind> all;
    for (const auto& effect : effects) all.push_back(effect.kind);
    return all;
}

using Kinds = std::vector<Kind>;

}  // namespace

TEST_CASE("cluster::Ownership: an order with Redis there raises the epoch above what Redis has") {
    Ownership ours("a", Role::standby, 0);
    CHECK(ours.owner_seen(owner("b", 4)).empty());
    CHECK(kinds(ours.promote(true)) == Kinds{Kind::begin});
    CHECK(ours.role() == Role::active);
    CHECK(ours.epoch() == 5);
    CHECK(ours.claim() == Claim::raise);
    CHECK(ours.promote(true).empty());
    CHECK(kinds(ours.claimed(5)) == Kinds{Kind::write});
    CHECK(ours.claim() == Claim::none);
    CHECK(kinds(ours.demote(Why::order)) == Kinds{Kind::end});
    CHECK(ours.claim() == Claim::none);
    CHECK(ours.demote(Why::order).empty());
}

TEST_CASE("cluster::Ownership: Redis knows of a later promotion than we did") {
    Ownership ours("a", Role::standby, 3);
    CHECK(kinds(ours.promote(true)) == Kinds{Kind::begin});
    CHECK(kinds(ours.claimed(9)) == Kinds{Kind::rename, Kind::write});
    CHECK(ours.epoch() == 9);
}

TEST_CASE("cluster::Ownership: without Redis the order holds, and is settled afterwards") {
    Ownership ours("a", Role::standby, 3);
    CHECK(kinds(ours.promote(false)) == Kinds{Kind::begin});
    CHECK(ours.epoch() == 4);
    CHECK(ours.claim() == Claim::settle);
    // An order that was on its way when Redis was lost is one that was given without it.
    Ownership other("a", Role::standby, 3);
    (void)other.promote(true);
    other.redis_lost();
    CHECK(other.claim() == Claim::settle);
}

TEST_CASE("cluster::Ownership: another owner in Redis is a question, and its answer may make us step down") {
    struct Case {
        const char* why;
        Owner seen;
        Claim claim;
    };
    const Case cases[] = {
        {"ourselves", owner("a", 4), Claim::none},
        {"of an earlier promotion", owner("b", 3), Claim::settle},
        {"of the same number", owner("b", 4), Claim::settle},
        {"of a later promotion", owner("b", 5), Claim::settle},
        {"ourselves, by another number", owner("a", 3), Claim::settle},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Ownership ours("a", Role::standby, 3);
        (void)ours.promote(true);
        (void)ours.claimed(4);
        CHECK(ours.owner_seen(c.seen).empty());
        CHECK(ours.role() == Role::active);
        CHECK(ours.claim() == c.claim);
    }
    Ownership ours("a", Role::active, 4);
    const auto effects = ours.refused(5, "b");
    CHECK(effects == Ownership::Effects{{.kind = Kind::end, .why = Why::another_owner, .other = "b"}});
    CHECK(ours.role() == Role::standby);
    CHECK(ours.epoch() == 5);
}

TEST_CASE("cluster::Ownership: while a claim is open its answer decides, not what Redis had before") {
    Ownership ours("a", Role::standby, 3);
    (void)ours.promote(true);
    CHECK(ours.owner_seen(owner("b", 9)).empty());
    CHECK(ours.role() == Role::active);
    CHECK(kinds(ours.refused(9, "b")) == Kinds{Kind::end});
    CHECK(ours.epoch() == 9);
}

TEST_CASE("cluster::Ownership: Redis that has lost its owner is told again") {
    Ownership ours("a", Role::active, 4);  // started again, as its file says
    CHECK(ours.claim() == Claim::settle);
    CHECK(kinds(ours.claimed(4)) == Kinds{Kind::write});
    CHECK(ours.owner_seen(std::nullopt).empty());
    CHECK(ours.claim() == Claim::settle);
    CHECK(ours.epoch() == 4);
}

TEST_CASE("cluster::Ownership: who has lost all shared addresses is active no more") {
    Ownership ours("a", Role::standby, 0);
    (void)ours.promote(false);
    CHECK(ours.addresses(0, 2).empty());  // they may come a moment after the order
    CHECK(ours.addresses(1, 2).empty());
    const auto effects = ours.addresses(0, 2);
    CHECK(kinds(effects) == Kinds{Kind::end});
    CHECK(effects.front().why == Why::address_gone);
    CHECK(ours.addresses(0, 2).empty());
    // With nothing to share there is nothing to follow.
    (void)ours.promote(false);
    CHECK(ours.addresses(0, 0).empty());
    CHECK(ours.role() == Role::active);
    // Who was active before it started has had them.
    Ownership again("a", Role::active, 1);
    CHECK(kinds(again.addresses(0, 2)) == Kinds{Kind::end});
}

TEST_CASE("cluster::Ownership: who has all shared addresses while nobody is active becomes it") {
    struct Case {
        const char* why;
        std::size_t here;
        bool told_off;
        Ownership::Others others;
        std::optional<Duration> after;
    };
    const Case cases[] = {
        {"nobody is active", 2, false, {.active = false, .known = true, .ready = true}, Ownership::grace},
        {"another is", 2, false, {.active = true, .known = true, .ready = true}, std::nullopt},
        {"an address is missing", 1, false, {.active = false, .known = true, .ready = true}, std::nullopt},
        {"it was told off", 2, true, {.active = false, .known = true, .ready = true}, std::nullopt},
        {"nobody can tell", 2, false, {.active = false, .known = false, .ready = true}, Ownership::long_grace},
        {"it is not in step", 2, false, {.active = false, .known = true, .ready = false}, Ownership::long_grace},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        Ownership ours("a", Role::standby, 3);
        (void)ours.addresses(c.here, 2);
        if (c.told_off) (void)ours.demote(Why::order);
        const Instant start{};
        CHECK(ours.look_around(c.others, start).empty());
        if (!c.after) {
            CHECK(ours.look_around(c.others, start + std::chrono::hours(1)).empty());
            continue;
        }
        CHECK(ours.look_around(c.others, start + *c.after - std::chrono::milliseconds(1)).empty());
        const auto effects = ours.look_around(c.others, start + *c.after);
        CHECK(effects == Ownership::Effects{{.kind = Kind::begin, .why = Why::address_here, .other = {}}});
        CHECK(ours.epoch() == 4);
        CHECK(ours.claim() == (c.others.known ? Claim::raise : Claim::settle));
    }
}

TEST_CASE("cluster::Ownership: a node that was told off may serve again when the addresses have gone and come") {
    Ownership ours("a", Role::active, 3);
    (void)ours.addresses(2, 2);
    CHECK(kinds(ours.demote(Why::order)) == Kinds{Kind::end});
    const Ownership::Others nobody{.active = false, .known = true, .ready = true};
    CHECK(ours.look_around(nobody, Instant{}).empty());
    CHECK(ours.look_around(nobody, Instant{} + std::chrono::hours(1)).empty());
    (void)ours.addresses(0, 2);
    (void)ours.addresses(2, 2);
    CHECK(ours.look_around(nobody, Instant{} + std::chrono::hours(2)).empty());
    CHECK(kinds(ours.look_around(nobody, Instant{} + std::chrono::hours(2) + Ownership::grace)) == Kinds{Kind::begin});
}
