#pragma once

#include "natkit/config/config.hpp"
#include "reader.hpp"

namespace natkit::config {

/// [ng] and [rtpproxy]: what proxies of others are served by.
[[nodiscard]] Ng read_ng(Section section);
[[nodiscard]] Rtpproxy read_rtpproxy(Section section);

}  // namespace natkit::config
