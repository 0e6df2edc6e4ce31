#pragma once

#include "flow_maps.h"
#include "natkit/bpf/flow_table.hpp"

/// Flows as the kernel's maps have them, and back.
namespace natkit::bpf {

/// A flow as it lies in two maps.
struct FlowWords {
    flow first;
    flow_rest rest;
};

[[nodiscard]] flow_key to_words(const FlowKey& key) noexcept;
/// Without what is the table's: when it expires, and what it has counted.
[[nodiscard]] FlowWords to_words(const FlowKey& key, const FlowRule& rule) noexcept;
/// The port that packets with this key come to.
[[nodiscard]] std::uint16_t port_of(const flow_key& words) noexcept;
[[nodiscard]] FlowKey key_of(const flow& first, const flow_rest& rest) noexcept;
[[nodiscard]] FlowRule rule_of(const flow& first, const flow_rest& rest) noexcept;

/// The priority that the kernel gives to packets of a socket with this TOS (its rt_tos2priority).
[[nodiscard]] std::uint8_t priority_of(std::uint8_t tos) noexcept;

}  // namespace natkit::bpf
