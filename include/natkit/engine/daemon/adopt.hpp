#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "natkit/config/config.hpp"
#include "natkit/io/fd.hpp"

namespace natkit::daemon {

/// What an `adopt` request (natkit-records(7), CONTROL) hands over: the listen strings in `sockets`, one for each
/// descriptor in the same order, each checked against what its descriptor really is. `usage` or `bad_input` otherwise:
/// who checks before it takes anything stays with what it has.
[[nodiscard]] Result<std::vector<config::Listen>> read_adopted(const nlohmann::ordered_json& request,
                                                               const std::vector<io::Fd>& descriptors);

}  // namespace natkit::daemon
