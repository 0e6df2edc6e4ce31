#include "natkit/cluster/feed.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::cluster;

namespace {

const auto ten_bytes = [](const std::string&) -> std::size_t { return 10; };
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("cluster::Feed: all there is, between a begin and an end, then what comes") {
    Feed feed;
    CHECK_FALSE(feed.take(100, ten_bytes));
    feed.add("x", {});
    CHECK_FALSE(feed.running());
    feed.restart({"a", "b", "c"}, {});
    const auto all = feed.place();
    auto piece = feed.take(20, ten_bytes);
    CHECK(piece->keys == Names{"a", "b"});
    CHECK(piece->whole == Feed::Whole::begin);
    feed.add("d", {});
    piece = feed.take(20, ten_bytes);
    CHECK(piece->keys == Names{"c", "d"});
    CHECK(piece->whole == Feed::Whole::end);
    CHECK_FALSE(feed.take(20, ten_bytes));
    feed.add("a", {});
    piece = feed.take(20, ten_bytes);
    CHECK(piece->keys == Names{"a"});
    CHECK(piece->whole == Feed::Whole::no);
    CHECK(feed.passed() == 0);
    feed.accepted();
    CHECK(feed.passed() == 0);
    CHECK_FALSE(feed.whole());
    feed.accepted();
    CHECK(feed.passed() == all + 1);
    CHECK(feed.whole());
    feed.accepted();
    CHECK(feed.passed() == feed.place());
}

TEST_CASE("cluster::Feed: what came before a worker began has not passed until it has all there is") {
    Feed feed;
    const auto before_any = feed.place();
    feed.restart({"a"}, {});
    CHECK(feed.passed() < before_any);
    CHECK(feed.take(10, ten_bytes));
    feed.accepted();
    feed.stop();
    const auto away = feed.place();
    feed.restart({"a", "b", "c"}, {});
    CHECK(feed.passed() < away);
    CHECK(feed.take(20, ten_bytes));
    feed.accepted();
    CHECK(feed.passed() < away);
    CHECK(feed.take(20, ten_bytes));
    feed.accepted();
    CHECK(feed.passed() == feed.place());
}

TEST_CASE("cluster::Feed: nothing there is told too, and a worker that starts anew gets all again") {
    Feed feed;
    feed.restart({}, {});
    const auto piece = feed.take(100, ten_bytes);
    CHECK(piece->keys.empty());
    CHECK(piece->whole == Feed::Whole::begin_and_end);
    CHECK(feed.passed() < feed.place());
    feed.accepted();
    CHECK(feed.passed() == feed.place());
    feed.add("a", {});
    const auto place = feed.place();
    CHECK(feed.take(100, ten_bytes));
    feed.stop();
    CHECK_FALSE(feed.running());
    feed.accepted();  // an answer of before
    CHECK(feed.passed() < place);
    feed.restart({"a"}, {});
    CHECK(feed.take(100, ten_bytes)->whole == Feed::Whole::begin_and_end);
    feed.accepted();
    CHECK(feed.passed() >= place);
}

TEST_CASE("cluster::Feed: few pieces at once") {
    Feed feed;
    feed.restart({"a", "b", "c", "d", "e", "f"}, {});
    int taken = 0;
    while (feed.take(10, ten_bytes)) ++taken;
    CHECK(taken == 4);
    feed.accepted();
    CHECK(feed.take(10, ten_bytes));
    CHECK_FALSE(feed.take(10, ten_bytes));
}
