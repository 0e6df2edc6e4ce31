#pragma once

#include "natkit/config/config.hpp"
#include "reader.hpp"
#include "schema.hpp"

namespace natkit::config {

[[nodiscard]] Cluster read_cluster(Section section, const Paths& paths, Diagnostics& diagnostics);
/// What [cluster] wants of the other sections.
void check_cluster(const Config& config, Section& root, Diagnostics& diagnostics);

}  // namespace natkit::config
