#pragma once

#include <optional>

#include "natkit/engine/explain/calls.hpp"
#include "natkit/record/decision.hpp"

namespace natkit::explain {

/// The lists and policies that decide: [network] and [media_proxy] of natkit.toml.
struct Rules {
    nat::Networks networks;
    nat::Policy policy = {};
};

/// Whether a call needed a media proxy, and whether its session descriptions show one. Nothing when only one party is
/// known.
[[nodiscard]] std::optional<record::Decision> decide_call(const Call& call, const Rules& rules);

/// The same for two addresses of which nothing else is known (--same).
[[nodiscard]] record::Decision decide_pair(const IpAddress& a, const IpAddress& b, const Rules& rules);

}  // namespace natkit::explain
