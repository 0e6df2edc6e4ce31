#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "natkit/base/error.hpp"
#include "natkit/cluster/role.hpp"
#include "natkit/config/config.hpp"

/// Whether a node of a cluster serves, and since which change of the one that does: natkit-cluster(7).
namespace natkit::cluster {

[[nodiscard]] const char* to_string(Role role) noexcept;  ///< "standby", "active"

struct Standing {
    Role role = Role::standby;
    std::uint64_t epoch = 0;  ///< grows with each promotion of any node; 0: there was none yet
    std::string node;         ///< whose standing it is
    friend bool operator==(const Standing&, const Standing&) = default;
};

/// {role, epoch, node}; members that are not known are left alone. Total; the error's `where` names the key.
[[nodiscard]] Result<Standing> parse_standing(const nlohmann::ordered_json& object);
void add_standing(nlohmann::ordered_json& object, const Standing& standing);

/// What natkit-cluster last wrote into cluster.json of this folder. Nothing where there is none, where it is damaged,
/// or of another boot: the node may have been dead for long.
[[nodiscard]] std::optional<Standing> read_standing(const std::string& runtime_dir, std::string_view boot_id);
/// Written whole or not at all, mode 0600.
[[nodiscard]] Result<void> write_standing(const std::string& runtime_dir, std::string_view boot_id,
                                          const Standing& standing);
inline constexpr const char* standing_file = "cluster.json";

/// How a worker begins: nothing where there is no [cluster], and it is active. With one it is what the file says, and a
/// standby without. With [cluster.peers] it is active, by the epoch of the file.
[[nodiscard]] std::optional<Standing> standing_at_start(const config::Cluster& cluster, const std::string& runtime_dir);

/// [cluster] node, or the host's name.
[[nodiscard]] std::string node_name(const config::Cluster& cluster);

}  // namespace natkit::cluster
