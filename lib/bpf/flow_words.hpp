#pragma once

#include "flow_maps.h"
#include "natkit/bpf/flow_table.hpp"

/// Flows as the kernel's maps have them, and back.
namespace natkit::bpf {

[[nodiscard]] flow_key to_words(const FlowKey& key) noexcept;
[[nodiscard]] flow_rule to_words(const FlowRule& rule, const FlowKey& key) noexcept;
/// The port that packets with this key come to.
[[nodiscard]] std::uint16_t port_of(const flow_key& words) noexcept;
[[nodiscard]] FlowKey from_words(const flow_key& words) noexcept;
[[nodiscard]] FlowRule from_words(const flow_rule& words) noexcept;

/// The priority that the kernel gives to packets of a socket with this TOS (its rt_tos2priority).
[[nodiscard]] unsigned priority_of(std::uint8_t tos) noexcept;

}  // namespace natkit::bpf
