#pragma once

#include <string>

#include "common/tool_main.hpp"

/// `natkit web`: who may log in to the pages.
namespace natkit_tool {

/// `action`: "passwd" (asks for a password, and writes who may log in by it), "remove" or "list".
[[nodiscard]] natkit::tool::Exit web(const natkit::tool::CommonOptions& common, const std::string& action,
                                     const std::string& user);

}  // namespace natkit_tool
