#include "natkit/proxy/media_shares.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace natkit::proxy;
using Verdict = MediaShares::Verdict;

namespace {

const Payer stranger{.sender = Sender::stranger, .name = "203.0.113.1"};
const Payer another{.sender = Sender::stranger, .name = "203.0.113.2"};
const Payer user{.sender = Sender::user, .name = "bob@example.com"};
const Payer server{.sender = Sender::server, .name = {}};
const Payer lan{.sender = Sender::lan, .name = {}};

struct Desk {
    MediaShares shares;
    Desk() {
        shares.set_limits({.stranger = 6, .user = 8, .strangers_percent = 50, .outside_percent = 90, .pool = 20});
    }
    /// Takes them if it may.
    Verdict ask(const Payer& payer, MediaShares::Legs wanted) {
        const Verdict verdict = shares.look(payer, wanted);
        if (verdict != Verdict::pass) return verdict;
        for (std::size_t pool = 0; pool < wanted.size(); ++pool) {
            for (std::size_t i = 0; i < wanted[pool]; ++i) shares.take(payer, pool);
        }
        return verdict;
    }
};

}  // namespace

TEST_CASE("MediaShares: each stranger and each user has so many legs, whatever the pool") {
    Desk desk;
    CHECK(desk.ask(stranger, {2, 2}) == Verdict::pass);
    CHECK(desk.ask(stranger, {1, 2}) == Verdict::stranger);
    CHECK(desk.ask(stranger, {1, 1}) == Verdict::pass);
    CHECK(desk.ask(another, {3, 3}) == Verdict::pass);
    CHECK(desk.ask(user, {4, 4}) == Verdict::pass);
    CHECK(desk.ask(user, {0, 0, 1}) == Verdict::user);
    desk.shares.give(stranger, 0);
    CHECK(desk.ask(stranger, {0, 1}) == Verdict::pass);
    CHECK(desk.ask(stranger, {0, 1}) == Verdict::stranger);
}

TEST_CASE("MediaShares: strangers leave ports to users, and all but the LAN leave some to the LAN") {
    Desk desk;
    CHECK(desk.ask(stranger, {6}) == Verdict::pass);
    CHECK(desk.ask(another, {5}) == Verdict::strangers);
    CHECK(desk.ask(another, {4}) == Verdict::pass);
    CHECK(desk.ask(another, {0, 1}) == Verdict::pass);  // another pool
    CHECK(desk.ask(user, {7}) == Verdict::pass);
    CHECK(desk.ask(server, {2}) == Verdict::outside);
    CHECK(desk.ask(server, {1}) == Verdict::pass);
    CHECK(desk.ask(user, {1}) == Verdict::outside);
    CHECK(desk.ask(lan, {100}) == Verdict::pass);  // the relay says when there are no more
    CHECK(desk.ask(server, {1}) == Verdict::outside);
}

TEST_CASE("MediaShares: what was taken comes back") {
    Desk desk;
    const std::vector<Payer> all = {stranger, user, server, lan};
    for (const Payer& payer : all) CHECK(desk.ask(payer, {1, 2}) == Verdict::pass);
    CHECK(desk.shares.size() == 12);
    for (const Payer& payer : all) {
        for (const std::size_t pool : {0, 1, 1}) desk.shares.give(payer, pool);
    }
    CHECK(desk.shares.size() == 0);
    CHECK(desk.ask(stranger, {6}) == Verdict::pass);
}

TEST_CASE("proxy::Payer: as a call's state keeps it") {
    for (const Payer& payer : {stranger, user, server, lan}) CHECK(parse_payer(to_string(payer)) == payer);
    CHECK(to_string(stranger) == "stranger 203.0.113.1");
    for (const char* other : {"", "stranger2 x", "nobody"}) CHECK(parse_payer(other) == lan);
}
