#pragma once

#include <nlohmann/json_fwd.hpp>

#include "natkit/diagnose/diagnose.hpp"

namespace natkit::record {

/// The `explanation` record: what the doctor found about one call.
[[nodiscard]] nlohmann::ordered_json to_json(const diagnose::Diagnosis& diagnosis);

}  // namespace natkit::record
