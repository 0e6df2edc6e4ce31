#pragma once

#include <expected>
#include <string>
#include <vector>

#include "common/tool_main.hpp"
#include "natkit/base/time.hpp"
#include "natkit/engine/console/show.hpp"

namespace natkit_tool {

using Json = natkit::console::Json;

/// One request to the natkit of this configuration. Problems are told.
[[nodiscard]] std::expected<Json, natkit::tool::Exit> ask(const natkit::tool::CommonOptions& common,
                                                          const std::string& command, const Json& params,
                                                          natkit::Duration patience);

/// To standard output.
void write_lines(const std::vector<std::string>& lines);

}  // namespace natkit_tool
