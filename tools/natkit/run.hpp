#pragma once

#include <optional>

#include "common/tool_main.hpp"
#include "natkit/config/config.hpp"

namespace natkit_tool {

/// The configuration, complete for this host; every problem and warning is told on standard error.
[[nodiscard]] std::optional<natkit::config::Config> read_config(const natkit::tool::CommonOptions& common);

[[nodiscard]] natkit::tool::Exit run(const natkit::tool::CommonOptions& common, bool detach);

/// `natkit check`: the effective values on standard output.
[[nodiscard]] natkit::tool::Exit check(const natkit::tool::CommonOptions& common);

}  // namespace natkit_tool
