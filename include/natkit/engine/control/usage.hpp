#pragma once

#include <sys/types.h>

#include <nlohmann/json_fwd.hpp>

namespace natkit::control {

/// What a status says of a process, this one without a number: `cpu_s` and `memory_bytes`; nothing of one that /proc
/// does not show. Include <nlohmann/json.hpp> where it is used.
void add_usage(nlohmann::ordered_json& status, pid_t pid = 0);

}  // namespace natkit::control
