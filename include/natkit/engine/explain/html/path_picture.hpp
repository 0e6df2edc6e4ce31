#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "natkit/engine/explain/html/markup.hpp"
#include "natkit/engine/explain/paths.hpp"

/// The way of media as a picture.
namespace natkit::html {

/// All paths beneath each other, as a document of their own.
[[nodiscard]] std::string to_svg(const std::vector<explain::MediaPath>& paths);
/// The same as a part of a page, which gives the colours. `id`: of the call, for what names the picture.
[[nodiscard]] Markup path_figure(const std::vector<explain::MediaPath>& paths, std::string_view id);

/// "a media loop: 2 relays, none needed; 100 packets a second saved"
[[nodiscard]] std::string summary(const explain::MediaPath& path);
/// The two lines under a picture of a node: "LAN" and its addresses.
[[nodiscard]] std::string addresses(const explain::PathNode& node);
[[nodiscard]] bool needed(const explain::PathRelay& relay);  ///< either side of it

}  // namespace natkit::html
