#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "../output.hpp"
#include "host_clock.hpp"
#include "natkit/base/error.hpp"

/// The state of an established call as mediarelay keeps it for the edge: the `owner_state` of one of its legs.
namespace natkit::edge {

inline constexpr std::size_t largest_state = 8192;  ///< bytes of text, which is as much as mediarelay keeps

/// The text of an object. Announced SSRCs are left out where it would be too large with them; `exhausted`: it is too
/// large without, too.
[[nodiscard]] Result<std::string> state_text(const SessionState& state, const HostClock& clock = {});
/// What a version before has not kept yet is as in a description that says nothing of it.
[[nodiscard]] Result<SessionState> read_state(const nlohmann::ordered_json& json, const HostClock& clock = {});

}  // namespace natkit::edge
