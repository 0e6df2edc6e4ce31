#pragma once

#include "natkit/engine/explain/html/markup.hpp"

namespace natkit::html {

/// The style sheet of the page: light and dark, narrow and wide, screen and paper.
[[nodiscard]] Markup style();

}  // namespace natkit::html
