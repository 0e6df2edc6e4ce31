#pragma once

#include "natkit/base/error.hpp"

namespace natkit::bpf {

/// Whether this build has the BPF tiers: it was made with clang and libbpf. Without them what opens one fails with
/// Errc::not_found, "built without BPF".
[[nodiscard]] bool built_with_bpf() noexcept;

/// Whether this process may load and run BPF programs here (CAP_BPF and CAP_NET_ADMIN, no filter of system calls in the
/// way): a program that does nothing is loaded and run once. The error says what is in the way.
[[nodiscard]] Result<void> may_load();

}  // namespace natkit::bpf
