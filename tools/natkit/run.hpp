#pragma once

#include "common/tool_main.hpp"

namespace natkit_tool {

[[nodiscard]] natkit::tool::Exit run(const natkit::tool::CommonOptions& common, bool detach);

/// `natkit check`: the effective values on standard output.
[[nodiscard]] natkit::tool::Exit check(const natkit::tool::CommonOptions& common);
/// The same of a file for another host; what only that host can tell is not looked at, and said.
[[nodiscard]] natkit::tool::Exit check_for_host(const natkit::tool::CommonOptions& common);

}  // namespace natkit_tool
