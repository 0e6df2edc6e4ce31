#include "natkit/engine/role/role.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "natkit/io/fd.hpp"
#include "natkit/io/process.hpp"

namespace natkit::cluster {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t file_version = 1;
constexpr std::size_t most_bytes = 4096;
constexpr std::size_t longest_name = 64;

std::string path_in(const std::string& runtime_dir) {
    return runtime_dir + "/" + standing_file;
}

Result<Role> parse_role(std::string_view text) {
    for (const Role role : {Role::standby, Role::active}) {
        if (text == to_string(role)) return role;
    }
    return fail(Errc::bad_input, "must be \"active\" or \"standby\"", "role");
}

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

const char* to_string(Role role) noexcept {
    return role == Role::active ? "active" : "standby";
}

Result<Standing> parse_standing(const Json& object) {
    if (!object.is_object()) return fail(Errc::bad_input, "not an object", "");
    const auto role = parse_role(text_of(object, "role"));
    if (!role) return std::unexpected(role.error());
    const auto epoch = object.find("epoch");
    if (epoch == object.end() || !epoch->is_number_unsigned())
        return fail(Errc::bad_input, "must be a whole number", "epoch");
    std::string node = text_of(object, "node");
    if (node.empty() || node.size() > longest_name) return fail(Errc::bad_input, "must be the name of a node", "node");
    return Standing{.role = *role, .epoch = epoch->get<std::uint64_t>(), .node = std::move(node)};
}

void add_standing(Json& object, const Standing& standing) {
    object["role"] = to_string(standing.role);
    object["epoch"] = standing.epoch;
    object["node"] = standing.node;
}

std::optional<Standing> read_standing(const std::string& runtime_dir, std::string_view boot_id) {
    const io::Fd file(::open(path_in(runtime_dir).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return std::nullopt;
    std::array<char, most_bytes> bytes{};
    const ssize_t got = ::read(file.get(), bytes.data(), bytes.size());
    if (got <= 0) return std::nullopt;
    const Json object = Json::parse(bytes.data(), bytes.data() + got, nullptr, false);
    if (!object.is_object() || object.value("version", Json()) != Json(file_version)) return std::nullopt;
    if (text_of(object, "boot_id") != boot_id) return std::nullopt;
    auto standing = parse_standing(object);
    return standing ? std::optional(std::move(*standing)) : std::nullopt;
}

Result<void> write_standing(const std::string& runtime_dir, std::string_view boot_id, const Standing& standing) {
    Json object = {{"version", file_version}, {"boot_id", boot_id}};
    add_standing(object, standing);
    const std::string text = object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    const std::string path = path_in(runtime_dir);
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());  // of one that died over it
    const io::Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail_errno(fresh, errno);
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return fail_errno(fresh, errno);
    if (::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno(path, errno);
    return {};
}

std::optional<Standing> standing_at_start(const config::Cluster& cluster, const std::string& runtime_dir) {
    if (!cluster.state) return std::nullopt;
    auto known = read_standing(runtime_dir, io::boot_id());
    // Of several active nodes each always is.
    if (!cluster.peers.empty())
        return Standing{.role = Role::active, .epoch = known ? known->epoch : 0, .node = node_name(cluster)};
    if (known) return known;
    return Standing{.role = Role::standby, .epoch = 0, .node = node_name(cluster)};
}

std::string node_name(const config::Cluster& cluster) {
    if (!cluster.node.empty()) return cluster.node;
    std::array<char, longest_name + 1> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "node";
    return name.data();
}

}  // namespace natkit::cluster
