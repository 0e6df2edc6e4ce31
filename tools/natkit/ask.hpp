#pragma once

#include <expected>
#include <string>
#include <vector>

#include "common/tool_main.hpp"
#include "natkit/base/time.hpp"
#include "show.hpp"

namespace natkit_tool {

/// One request to the natkit of this configuration. Problems are told.
[[nodiscard]] std::expected<Json, natkit::tool::Exit> ask(const natkit::tool::CommonOptions& common,
                                                          const std::string& command, const Json& params,
                                                          natkit::Duration patience);

/// As one line.
[[nodiscard]] std::string dump(const Json& value);
void write_lines(const std::vector<std::string>& lines);

}  // namespace natkit_tool
