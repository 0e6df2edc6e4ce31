#pragma once

#include <string>
#include <string_view>

#include "natkit/cluster/lease.hpp"
#include "natkit/record/json_view.hpp"

namespace natkit::record {

/// {"boot":"…","epoch":N,"addresses":["192.0.2.1",…]}, as it stands in Redis.
[[nodiscard]] std::string lease_text(const cluster::LeaseValue& value);
/// Total; the error's `where` names the key. Members that are not known are left alone.
[[nodiscard]] Result<cluster::LeaseValue> parse_lease(std::string_view text, ObjectReader& reader);

}  // namespace natkit::record
