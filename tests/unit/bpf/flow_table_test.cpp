#include <doctest/doctest.h>

#include "natkit/bpf/flow_table.hpp"

#ifdef NATKIT_WITH_BPF
#include <algorithm>

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
            CHECK(from_words(to_words(flow.rule, 3)) == flow.rule);
            CHECK(to_words(flow.rule, 3).slot == 3);
        }
    }
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
