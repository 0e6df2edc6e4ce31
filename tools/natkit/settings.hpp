#pragma once

#include <string>
#include <vector>

#include "common/tool_main.hpp"

namespace natkit_tool {

/// `natkit settings`: what it is to do.
struct SettingsOptions {
    std::string action = "show";
    std::vector<std::string> words;  ///< a setting and its value, or a version
    bool dry_run = false;
    bool keep = false;
};

/// Adds the command; the options live as long as `app`.
CLI::App* add_settings(CLI::App& app, SettingsOptions& options);
[[nodiscard]] natkit::tool::Exit settings(const natkit::tool::CommonOptions& common, const SettingsOptions& options);

}  // namespace natkit_tool
