#pragma once

#include <cstdint>

#include "natkit/base/error.hpp"

/// A filter of ours on the ingress of an interface: legacy clsact, which outlives the process that made it. Its
/// preference and handle are fixed, its name is the program's.
namespace natkit::bpf {

/// Whose filter is at our place of an interface.
enum class FilterOwner : std::uint8_t { none, ours, another };

/// Its name says so, where this process may ask for it (root); else its place alone does.
[[nodiscard]] Result<FilterOwner> filter_at(unsigned interface);

/// Attaches the program, in the place of what is there; makes clsact where there is none.
[[nodiscard]] Result<void> attach_filter(unsigned interface, int program_fd);
/// Never takes clsact itself away: others use it.
[[nodiscard]] Result<void> detach_filter(unsigned interface);

}  // namespace natkit::bpf
