#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "flow_maps.h"
#include "natkit/bpf/flow_table.hpp"

/// The packets of the flow table's self-test, computed here from nothing, and so independent of what is tested.
namespace natkit::bpf {

/// A flow between documentation addresses (RFC 5737, RFC 3849), from one family to another.
struct TestFlow {
    FlowKey key;
    FlowRule rule;
};
[[nodiscard]] TestFlow test_flow(unsigned interface, Family from, Family to);

/// A frame of RTP as it comes to the interface, with right checksums.
[[nodiscard]] std::vector<std::uint8_t> frame_before(const TestFlow& flow, const FlowInterface& interface);
/// The same when the filter is done with it, without the Ethernet header.
[[nodiscard]] std::vector<std::uint8_t> packet_after(const TestFlow& flow);

/// Whether the filter has made of it what it should, cleanly; else what is wrong.
[[nodiscard]] Result<void> judge(const TestFlow& flow, const flow_proof& proof);

}  // namespace natkit::bpf
