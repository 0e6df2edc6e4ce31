#include "natkit/io/usage.hpp"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "natkit/base/text.hpp"

namespace natkit::io {
namespace {

// Of proc_pid_stat(5), counted behind the name, which may hold anything.
constexpr std::size_t user_ticks = 11;
constexpr std::size_t system_ticks = 12;
constexpr std::size_t resident_pages = 21;

}  // namespace

std::optional<Usage> usage_of(pid_t pid) {
    std::ifstream file("/proc/" + (pid == 0 ? std::string("self") : std::to_string(pid)) + "/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t name_end = text.rfind(") ");
    if (name_end == std::string::npos) return std::nullopt;
    const auto fields = text::split(std::string_view(text).substr(name_end + 2), ' ');
    const auto number = [&](std::size_t field) {
        return field < fields.size() ? text::parse_number(fields[field], INT64_MAX) : std::nullopt;
    };
    const auto user = number(user_ticks);
    const auto system = number(system_ticks);
    const auto pages = number(resident_pages);
    const long a_second = ::sysconf(_SC_CLK_TCK);
    const long a_page = ::sysconf(_SC_PAGESIZE);
    if (!user || !system || !pages || a_second <= 0 || a_page <= 0) return std::nullopt;
    const auto milliseconds = (*user + *system) * 1000 / static_cast<std::uint64_t>(a_second);
    return Usage{.cpu = std::chrono::milliseconds(milliseconds),
                 .memory_bytes = *pages * static_cast<std::uint64_t>(a_page)};
}

}  // namespace natkit::io
