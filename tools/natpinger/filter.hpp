#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/tool_main.hpp"
#include "natkit/config/config.hpp"

namespace natpinger {

struct FilterOptions {
    std::string file = "-";               ///< FILE
    std::vector<int> descriptors;         ///< --fd
    std::vector<std::string> from;        ///< --from
    std::optional<std::string> interval;  ///< --interval
    std::optional<std::string> method;    ///< --method
    std::optional<unsigned> limit;        ///< --limit
};

void add_filter_options(CLI::App& app, FilterOptions& options);

/// Reads client records from the file or standard input and pings until a signal comes, or, after the end of the input,
/// nobody is left to ping.
[[nodiscard]] natkit::tool::Exit run_filter(const natkit::config::Config& config, const FilterOptions& options);

}  // namespace natpinger
