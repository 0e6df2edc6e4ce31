#pragma once

#include <optional>

#include "natkit/config/config.hpp"

namespace natkit::config {

/// The socket for the other edges, where several are active: apply_host() puts it behind those of [sip] listen.
[[nodiscard]] std::optional<Listen> peer_listener(const Config& config);

}  // namespace natkit::config
