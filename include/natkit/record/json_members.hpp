#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"

/// Members of a JSON value that another has written: what is no object has none, and one of another type than is asked
/// for is as if it were not there.
namespace natkit::record {

[[nodiscard]] std::string text_of(const nlohmann::ordered_json& object, const char* key);  ///< else empty
[[nodiscard]] bool flag_of(const nlohmann::ordered_json& object, const char* key);         ///< else false
[[nodiscard]] std::vector<nlohmann::ordered_json> list_of(const nlohmann::ordered_json& object, const char* key);
[[nodiscard]] std::optional<Endpoint> endpoint_of(const nlohmann::ordered_json& object, const char* key);

}  // namespace natkit::record
