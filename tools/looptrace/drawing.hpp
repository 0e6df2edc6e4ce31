#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "looptrace/tracer.hpp"

/// A path in its four forms.
namespace natkit::looptrace {

[[nodiscard]] nlohmann::ordered_json to_json(const explain::MediaPath& path);  ///< the `path` record
[[nodiscard]] nlohmann::ordered_json to_json(const Circle& circle);            ///< the `circle` record
[[nodiscard]] std::string to_text(const explain::MediaPath& path, bool colour);
[[nodiscard]] std::string to_text(const Circle& circle, bool colour);
[[nodiscard]] std::string to_dot(const std::vector<explain::MediaPath>& paths);
[[nodiscard]] std::string to_svg(const std::vector<explain::MediaPath>& paths);

/// "a media loop: 2 relays, none needed; 100 packets a second saved"
[[nodiscard]] std::string summary(const explain::MediaPath& path);
/// The two lines under a picture of a node: "LAN" and its addresses.
[[nodiscard]] std::string addresses(const explain::PathNode& node);
[[nodiscard]] bool needed(const explain::PathRelay& relay);  ///< either side of it

}  // namespace natkit::looptrace
