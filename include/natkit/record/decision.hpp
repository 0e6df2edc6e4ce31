#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/nat/decide.hpp"
#include "natkit/record/nat.hpp"

namespace natkit::record {

/// One m= line of a decision.
struct StreamDecision {
    std::string kind;              ///< "audio"
    std::optional<Endpoint> a, b;  ///< where each party wants its media, as it said itself
    nat::Decision decision;
    std::optional<bool> relay_seen;  ///< the session descriptions name a relay; nothing: the capture does not tell
};

/// The `decision` record: whether the media of a call needs a media proxy.
struct Decision {
    std::string call_id;
    nat::Decision decision;  ///< of the whole: a relay if any stream needs one, every reason once
    std::optional<Nat> a, b;
    std::vector<StreamDecision> streams;
    std::optional<bool> relay_seen;

    /// Whether what the capture shows is what the rules ask for.
    [[nodiscard]] std::optional<bool> agrees() const;
};

[[nodiscard]] nlohmann::ordered_json to_json(const Decision& decision);
[[nodiscard]] nlohmann::ordered_json to_json(const nat::Decision& decision);  ///< relay and reasons

}  // namespace natkit::record
