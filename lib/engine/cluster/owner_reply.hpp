#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "natkit/cluster/owner.hpp"
#include "natkit/redis/connection.hpp"

namespace natkit::cluster {

/// The answer to HGETALL of an owner's hash.
[[nodiscard]] inline Result<std::optional<Owner>> read_owner(const redis::Reply& reply) {
    std::vector<std::pair<std::string_view, std::string_view>> fields;
    for (std::size_t i = 0; i + 1 < reply.size(); i += 2)
        fields.emplace_back(reply[i].text().value_or(""), reply[i + 1].text().value_or(""));
    return parse_owner(fields);
}

}  // namespace natkit::cluster
