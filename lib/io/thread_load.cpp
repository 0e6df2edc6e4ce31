#include "natkit/io/thread_load.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace natkit::io {

std::optional<double> ThreadLoad::busiest(Instant now) {
    std::map<std::string, std::uint64_t> had_to_do;
    std::error_code none;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", none)) {
        std::ifstream file(thread.path() / "schedstat");
        std::uint64_t ran = 0;
        std::uint64_t waited = 0;
        if (file >> ran >> waited) had_to_do[thread.path().filename().string()] = ran + waited;
    }
    const double passed = std::chrono::duration<double, std::nano>(now - last_).count();
    std::optional<double> most;
    for (const auto& [thread, sum] : had_to_do) {
        const auto before = before_.find(thread);
        if (before == before_.end() || sum < before->second || passed <= 0) continue;
        const double part = std::min(1.0, static_cast<double>(sum - before->second) / passed);
        most = std::max(most.value_or(0), part);
    }
    before_ = std::move(had_to_do);
    last_ = now;
    return most;
}

}  // namespace natkit::io
