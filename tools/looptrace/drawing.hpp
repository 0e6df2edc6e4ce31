#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "looptrace/tracer.hpp"

/// A path in all forms but the picture.
namespace natkit::looptrace {

[[nodiscard]] nlohmann::ordered_json to_json(const explain::MediaPath& path);  ///< the `path` record
[[nodiscard]] nlohmann::ordered_json to_json(const Circle& circle);            ///< the `circle` record
[[nodiscard]] std::string to_text(const explain::MediaPath& path, bool colour);
[[nodiscard]] std::string to_text(const Circle& circle, bool colour);
[[nodiscard]] std::string to_dot(const std::vector<explain::MediaPath>& paths);

}  // namespace natkit::looptrace
