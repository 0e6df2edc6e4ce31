#pragma once

#include <cstdint>
#include <string_view>

#include "natkit/cluster/clients.hpp"
#include "natkit/record/json_view.hpp"

namespace natkit::record {

/// What decides whose client it is, of the record of a registration as any node's sipedge writes it. `clock_ms`: how
/// far the writer's time of day was ahead of Redis'. Total; the error's `where` names the key.
[[nodiscard]] Result<cluster::ClientRow> parse_client_row(std::string_view record, std::int64_t clock_ms,
                                                          ObjectReader& reader);

}  // namespace natkit::record
