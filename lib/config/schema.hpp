#pragma once

#include <string>

#include "natkit/config/config.hpp"
#include "reader.hpp"

namespace natkit::config {

/// Where relative paths start, and where natkit keeps its things.
struct Paths {
    std::string base_dir;
    Surroundings surroundings;
};

/// Reads every section of a file; problems go to `diagnostics`. Pure.
[[nodiscard]] Config read_schema(const toml::table& root, const Paths& paths, Diagnostics& diagnostics);

}  // namespace natkit::config
