#include "natkit/cluster/outbox.hpp"

#include <doctest/doctest.h>

#include "natkit/cluster/key_queue.hpp"

using namespace natkit;
using namespace natkit::cluster;
using std::chrono::milliseconds;

namespace {

Instant at(int ms) {
    return Instant{} + milliseconds(ms);
}

StreamId id(std::uint64_t ms) {
    return {.ms = ms, .number = 0};
}

std::vector<std::string> names(const Outbox::Batch& batch) {
    std::vector<std::string> keys;
    for (const auto& entry : batch.keys) keys.push_back(entry.key);
    return keys;
}

using Names = std::vector<std::string>;
const auto ten_bytes = [](const std::string&) -> std::size_t { return 10; };

}  // namespace

TEST_CASE("cluster::KeyQueue: each key once, the first that came first") {
    KeyQueue queue;
    CHECK(queue.add("a", at(1)));
    CHECK(queue.add("b", at(2)));
    CHECK_FALSE(queue.add("a", at(3)));
    CHECK(queue.size() == 2);
    CHECK(queue.oldest() == at(1));
    const auto first = queue.take();
    CHECK(first->key == "a");
    CHECK(first->since == at(1));
    queue.put_back(*first);
    CHECK(queue.take()->key == "a");
    CHECK(queue.add("a", at(4)));
    queue.put_back({.key = "a", .since = at(1)});  // it waits again already: with the earlier moment
    CHECK(queue.take()->key == "b");
    CHECK(queue.take()->since == at(1));
    CHECK_FALSE(queue.take());
    CHECK_FALSE(queue.oldest());
}

TEST_CASE("cluster::Outbox: batches of bounded size, and so many bytes on their way") {
    Outbox outbox({.batch_bytes = 20, .bytes_in_flight = 40, .unacknowledged = 8});
    for (const char* key : {"a", "b", "c", "d", "e"}) outbox.add(key, at(1));
    const auto first = outbox.take(ten_bytes);
    CHECK(names(first) == Names{"a", "b"});
    CHECK(names(outbox.take(ten_bytes)) == Names{"c", "d"});
    CHECK(outbox.take(ten_bytes).keys.empty());
    CHECK(outbox.waiting() == 1);
    outbox.written(first.number, id(1));
    CHECK(names(outbox.take(ten_bytes)) == Names{"e"});
    CHECK(outbox.in_flight() == 2);
}

TEST_CASE("cluster::Outbox: what is lost comes again, in its order") {
    Outbox outbox({.batch_bytes = 20, .bytes_in_flight = 100, .unacknowledged = 8});
    for (const char* key : {"a", "b", "c"}) outbox.add(key, at(1));
    const auto first = outbox.take(ten_bytes);
    const auto second = outbox.take(ten_bytes);
    outbox.add("d", at(2));
    outbox.lost();
    outbox.written(second.number, id(1));  // an answer of before the loss
    CHECK(outbox.in_flight() == 0);
    CHECK(names(outbox.take(ten_bytes)) == Names{"a", "b"});
    CHECK(names(outbox.take(ten_bytes)) == Names{"c", "d"});
    CHECK(names(first) == Names{"a", "b"});
}

TEST_CASE("cluster::Outbox: the oldest that no standby has, wherever it is") {
    Outbox outbox({.batch_bytes = 10, .bytes_in_flight = 100, .unacknowledged = 8});
    CHECK_FALSE(outbox.oldest());
    outbox.add("a", at(1));
    CHECK(outbox.oldest() == at(1));
    const auto first = outbox.take(ten_bytes);
    CHECK(outbox.oldest() == at(1));
    outbox.written(first.number, id(5));
    CHECK(outbox.oldest() == at(1));
    outbox.add("b", at(2));
    CHECK(outbox.acknowledged(id(4)).empty());
    CHECK(outbox.acknowledged(id(5)) == std::vector<Instant>{at(1)});
    CHECK(outbox.oldest() == at(2));
    // A standby may be faster than Redis' answer to us.
    const auto second = outbox.take(ten_bytes);
    CHECK(outbox.acknowledged(id(6)).empty());
    outbox.written(second.number, id(6));
    CHECK(outbox.acknowledged({}) == std::vector<Instant>{at(2)});
    CHECK_FALSE(outbox.oldest());
    // Of another Redis, whose clock is behind, nothing was acknowledged yet.
    outbox.forget();
    outbox.add("c", at(3));
    outbox.written(outbox.take(ten_bytes).number, id(1));
    CHECK(outbox.acknowledged({}).empty());
}

TEST_CASE("cluster::Outbox: with nobody who acknowledges it stays small, and the oldest is known") {
    Outbox outbox({.batch_bytes = 10, .bytes_in_flight = 100, .unacknowledged = 4});
    for (int i = 0; i < 100; ++i) {
        outbox.add("a", at(i));
        outbox.written(outbox.take(ten_bytes).number, id(static_cast<std::uint64_t>(i)));
    }
    CHECK(outbox.oldest() == at(0));
    CHECK(outbox.acknowledged(id(99)).size() == 4);
    CHECK_FALSE(outbox.oldest());
}
