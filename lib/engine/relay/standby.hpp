#pragma once

#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "natkit/relay/leg.hpp"
#include "plane/packet_path.hpp"

namespace natkit::relay {

/// What a standby has beside the records of the active node's legs.
struct Standby {
    std::unordered_map<LegKey, BoundPorts> ports;       ///< bound and deaf, where a leg's are open
    std::optional<std::unordered_set<LegKey>> not_put;  ///< while a whole set comes: what has not been put yet
};

}  // namespace natkit::relay
