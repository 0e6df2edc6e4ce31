#include "natkit/engine/control/usage.hpp"

#include <nlohmann/json.hpp>

#include "natkit/io/usage.hpp"

namespace natkit::control {

void add_usage(nlohmann::ordered_json& status, pid_t pid) {
    const auto usage = io::usage_of(pid);
    if (!usage) return;
    status["cpu_s"] = std::chrono::duration<double>(usage->cpu).count();
    status["memory_bytes"] = usage->memory_bytes;
}

}  // namespace natkit::control
