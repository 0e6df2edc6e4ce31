#pragma once

#include "natkit/config/config.hpp"
#include "reader.hpp"

namespace natkit::config {

[[nodiscard]] Hep read_hep(Section section);

}  // namespace natkit::config
