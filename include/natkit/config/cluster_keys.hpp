#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/config/config.hpp"

namespace natkit::config {

/// The keys that the nodes of a cluster share ([cluster] key): one, or while it is replaced two.
struct ClusterKeys {
    using Key = std::array<std::uint8_t, 32>;

    Key first{};                ///< what is made is made with this one
    std::optional<Key> second;  ///< what was made with it is accepted, too

    friend bool operator==(const ClusterKeys&, const ClusterKeys&) = default;
};

/// One or two lines of 64 hexadecimal digits; empty lines are passed over. `where` of a problem is "name:line". Pure
/// and total. No problem quotes what stands in a line.
[[nodiscard]] std::expected<ClusterKeys, Problems> parse_cluster_keys(std::string_view text, std::string_view name);

/// Reads a file of keys, which must be readable for its owner alone.
[[nodiscard]] std::expected<ClusterKeys, Problems> load_cluster_keys(const std::string& path);

}  // namespace natkit::config
