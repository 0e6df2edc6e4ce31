#pragma once

#include "natkit/config/config.hpp"
#include "reader.hpp"
#include "schema.hpp"

namespace natkit::config {

[[nodiscard]] Cluster read_cluster(Section section, const Paths& paths);

}  // namespace natkit::config
