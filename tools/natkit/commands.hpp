#pragma once

#include <string>

#include "common/tool_main.hpp"

/// The subcommands that ask a running natkit.
namespace natkit_tool {

[[nodiscard]] natkit::tool::Exit status(const natkit::tool::CommonOptions& common);
/// `what` is "calls" or "clients".
[[nodiscard]] natkit::tool::Exit list(const natkit::tool::CommonOptions& common, const std::string& what);
[[nodiscard]] natkit::tool::Exit reload(const natkit::tool::CommonOptions& common);
[[nodiscard]] natkit::tool::Exit drain(const natkit::tool::CommonOptions& common);
[[nodiscard]] natkit::tool::Exit stop(const natkit::tool::CommonOptions& common);

}  // namespace natkit_tool
