#pragma once

#include <string>

#include "common/tool_main.hpp"
#include "natkit/engine/console/show.hpp"

namespace natkit_tool {

using Json = natkit::console::Json;

/// Of a list of calls or clients those that are asked for. Empty: all.
struct Filter {
    std::string user;     ///< the user of a party, or its whole address of record
    std::string address;  ///< an address, network or range that a party is seen at
};

/// Adds --user and --address; the filter lives as long as `command`.
void add_filter(CLI::App& command, Filter& filter);
[[nodiscard]] Json chosen(const Json& records, const Filter& filter);

}  // namespace natkit_tool
