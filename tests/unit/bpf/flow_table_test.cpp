#include <doctest/doctest.h>

#include "natkit/bpf/flow_table.hpp"

#ifdef NATKIT_WITH_BPF
#include <algorithm>
#include <set>
#include <string>

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
            CHECK(from_words(to_words(flow.key)) == flow.key);
            CHECK(from_words(to_words(flow.rule, flow.key)) == flow.rule);
            CHECK(port_of(to_words(flow.key)) == flow.key.destination.port);
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
            const flow_key before = to_words(flow.key);
            const flow_rule after = to_words(flow.rule, flow.key);
            std::uint64_t addresses_before = 0;
            std::uint64_t addresses_after = 0;
            for (std::size_t i = 0; i < 4; ++i) {
                addresses_before += std::uint64_t{before.source[i]} + before.destination[i];
                addresses_after += std::uint64_t{after.source[i]} + after.destination[i];
            }
            CHECK(folded(addresses_before + after.address_change) == folded(addresses_after));
            CHECK(folded(std::uint64_t{before.source_port} + before.destination_port + after.port_change) ==
                  folded(std::uint64_t{after.source_port} + after.destination_port));
        }
    }
}

TEST_CASE("bpf: a flow's places: one after the other by port, others for another address") {
    const auto place = [](const char* endpoint, unsigned attempt) {
        FlowKey key{.interface = 1, .source = {}, .destination = Endpoint::parse(endpoint).value()};
        key.source.address = key.destination.address;
        const flow_key words = to_words(key);
        return flow_place_of(words.destination, port_of(words), attempt);
    };
    for (const char* address : {"192.0.2.1", "[2001:db8::1]"}) {
        const std::string text = address;
        CHECK(place((text + ":20001").c_str(), 0) == (place((text + ":20000").c_str(), 0) + 1) % FLOW_PLACES);
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
