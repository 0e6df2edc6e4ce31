#pragma once

#include "common/tool_main.hpp"

namespace natkit_tool {

[[nodiscard]] natkit::tool::Exit run(const natkit::tool::CommonOptions& common, bool detach);

/// `natkit check`: the effective values on standard output.
[[nodiscard]] natkit::tool::Exit check(const natkit::tool::CommonOptions& common);

}  // namespace natkit_tool
