#include <doctest/doctest.h>

#include "natkit/bpf/flow_table.hpp"

#ifdef NATKIT_WITH_BPF
#include <algorithm>
#include <chrono>
#include <set>
#include <string>

#include "flow_slots.hpp"
#include "flow_words.hpp"
#include "self_test.hpp"
#endif

namespace natkit::bpf {

TEST_CASE("bpf::FlowTable: no table without a bpffs, and the error says where") {
    const auto table = FlowTable::open({.folder = "/nowhere/natkit"});
    REQUIRE_FALSE(table);
    CHECK(table.error().code == Errc::not_found);
}

#ifdef NATKIT_WITH_BPF

TEST_CASE("bpf: flows are read back from the kernel's form as they were") {
    for (const Family from : {Family::ipv4, Family::ipv6}) {
        for (const Family to : {Family::ipv4, Family::ipv6}) {
            const TestFlow flow = test_flow(7, from, to);
            const FlowWords words = to_words(flow.key, flow.rule);
            CHECK(key_of(words.first, words.rest) == flow.key);
            CHECK(rule_of(words.first, words.rest) == flow.rule);
            const flow_key key = to_words(flow.key);
            CHECK(port_of(key) == flow.key.destination.port);
            CHECK(flow_is_like(&words.first, &key));
            CHECK(flow_rest_is_like(&words.rest, &key));
        }
    }
}

TEST_CASE("bpf: what a packet's sums change by, in ones' complement (RFC 1624)") {
    const auto folded = [](std::uint64_t sum) {
        while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
        return sum;
    };
    for (const Family from : {Family::ipv4, Family::ipv6}) {
        for (const Family to : {Family::ipv4, Family::ipv6}) {
            const TestFlow flow = test_flow(7, from, to);
            const auto [first, rest] = to_words(flow.key, flow.rule);
            std::uint64_t before = std::uint64_t{first.source} + first.destination;
            std::uint64_t after = std::uint64_t{first.new_source} + first.new_destination;
            for (std::size_t i = 0; i < 3; ++i) {
                before += std::uint64_t{rest.source[i]} + rest.destination[i];
                after += std::uint64_t{rest.new_source[i]} + rest.new_destination[i];
            }
            CHECK(folded(before + first.address_change) == folded(after));
            CHECK(folded(std::uint64_t{first.source_port} + first.destination_port + first.port_change) ==
                  folded(std::uint64_t{first.new_source_port} + first.new_destination_port));
        }
    }
}

TEST_CASE("bpf: a flow with another key is not taken for it") {
    const TestFlow flow = test_flow(7, Family::ipv6, Family::ipv4);
    const FlowWords words = to_words(flow.key, flow.rule);
    const auto is_like = [&](const flow_key& key) {
        return flow_is_like(&words.first, &key) != 0 && flow_rest_is_like(&words.rest, &key) != 0;
    };
    const flow_key key = to_words(flow.key);
    REQUIRE(is_like(key));
    for (std::size_t word = 0; word < 4; ++word) {
        flow_key other = key;
        other.source[word] ^= 1;
        CHECK_FALSE(is_like(other));
        other = key;
        other.destination[word] ^= 1;
        CHECK_FALSE(is_like(other));
    }
    flow_key other = key;
    ++other.ifindex;
    CHECK_FALSE(is_like(other));
    other = key;
    other.source_port ^= 1;
    CHECK_FALSE(is_like(other));
    other = key;
    other.destination_port ^= 1;
    CHECK_FALSE(is_like(other));
    other = key;
    other.family = 2;
    CHECK_FALSE(is_like(other));
}

TEST_CASE("bpf::FlowSlots: the lowest that is free; each rests before it is used again") {
    using namespace std::chrono_literals;
    const Instant now = Instant{} + 1h;
    FlowSlots slots({false, true, false, false});
    CHECK(slots.take(now) == 0U);
    CHECK(slots.take(now) == 2U);
    slots.release(2, now);
    slots.release(0, now + 10ms);
    CHECK(slots.take(now + 999ms) == 3U);
    CHECK_FALSE(slots.take(now + 999ms));
    CHECK(slots.take(now + 1s) == 2U);
    slots.release(1, now + 20ms);
    CHECK(slots.take(now + 2s) == 0U);
    CHECK(slots.take(now + 2s) == 1U);
    CHECK_FALSE(slots.take(now + 1h));
}

TEST_CASE("bpf: a flow's places: one after the other by even port, others for another address") {
    const auto place = [](const char* endpoint, unsigned attempt) {
        FlowKey key{.interface = 1, .source = {}, .destination = Endpoint::parse(endpoint).value()};
        key.source.address = key.destination.address;
        const flow_key words = to_words(key);
        return flow_place_of(words.destination, port_of(words), attempt);
    };
    for (const char* address : {"192.0.2.1", "[2001:db8::1]"}) {
        const std::string text = address;
        CHECK(place((text + ":20002").c_str(), 0) == (place((text + ":20000").c_str(), 0) + 1) % FLOW_PLACES);
        CHECK(place((text + ":20001").c_str(), 0) == (place((text + ":20000").c_str(), 0) + 32768) % FLOW_PLACES);
        std::set<unsigned> different;
        for (unsigned attempt = 0; attempt < FLOW_TRIES; ++attempt) {
            different.insert(place((text + ":20000").c_str(), attempt));
            CHECK(*different.rbegin() < FLOW_PLACES);
        }
        CHECK(different.size() == FLOW_TRIES);
    }
    CHECK(place("192.0.2.1:20000", 0) != place("192.0.2.2:20000", 0));
}

TEST_CASE("bpf: the priority is what the kernel gives to a socket with that TOS") {
    CHECK(priority_of(0) == 0);
    CHECK(priority_of(0x08) == 2);     // bulk
    CHECK(priority_of(0x10) == 6);     // interactive
    CHECK(priority_of(184) == 4);      // EF
    CHECK(priority_of(184 | 3) == 4);  // ECN is no matter
}

TEST_CASE("bpf: the self-test believes only what is right to the byte") {
    const TestFlow flow = test_flow(1, Family::ipv4, Family::ipv6);
    const auto packet = packet_after(flow);
    flow_proof proof{};
    proof.length = static_cast<unsigned>(14 + packet.size());
    std::copy_n(packet.begin(), sizeof proof.bytes - 14, proof.bytes + 14);
    REQUIRE(judge(flow, proof));
    SUBCASE("a wrong byte") {
        proof.bytes[60] ^= 1;
    }
    SUBCASE("another length") {
        --proof.length;
    }
    SUBCASE("a mark that is left") {
        proof.mark = 1;
    }
    SUBCASE("a time that is left") {
        proof.has_timestamp = 1;
    }
    SUBCASE("no forwarding") {
        proof.route = 5;
    }
    CHECK_FALSE(judge(flow, proof));
}

#endif

}  // namespace natkit::bpf
