#include "natkit/engine/role/role.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "natkit/io/process.hpp"

using namespace natkit;
using namespace natkit::cluster;

namespace {

struct Folder {
    std::string path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-role-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    void write(const std::string& text) const { std::ofstream(path + "/" + standing_file) << text; }
};

config::Cluster with_state() {
    config::Cluster cluster;
    cluster.state = config::RedisTarget{.host = "10.0.0.5"};
    cluster.node = "edge-a";
    return cluster;
}

}  // namespace

TEST_CASE("a standing is what was written, and of this boot only") {
    const Folder folder;
    CHECK_FALSE(read_standing(folder.path, "boot"));
    const Standing active{.role = Role::active, .epoch = 7, .node = "edge-a"};
    REQUIRE(write_standing(folder.path, "boot", active));
    CHECK(read_standing(folder.path, "boot") == active);
    CHECK_FALSE(read_standing(folder.path, "another"));
    struct stat file{};
    REQUIRE(::stat((folder.path + "/" + standing_file).c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0600);
    const Standing standby{.role = Role::standby, .epoch = 8, .node = "edge-a"};
    REQUIRE(write_standing(folder.path, "boot", standby));
    CHECK(read_standing(folder.path, "boot") == standby);
    CHECK_FALSE(write_standing(folder.path + "/none", "boot", standby));
}

TEST_CASE("a damaged standing is none") {
    const Folder folder;
    for (const char* text : {"", "x", "{}", R"({"version":1,"boot_id":"boot","role":"active","epoch":-1,"node":"a"})",
                             R"({"version":1,"boot_id":"boot","role":"boss","epoch":1,"node":"a"})",
                             R"({"version":1,"boot_id":"boot","role":"active","epoch":1,"node":""})",
                             R"({"version":2,"boot_id":"boot","role":"active","epoch":1,"node":"a"})",
                             R"({"version":1,"boot_id":"boot","role":"active","epoch":1,"nod)"}) {
        INFO(text);
        folder.write(text);
        CHECK_FALSE(read_standing(folder.path, "boot"));
    }
}

TEST_CASE("without a cluster there is no role, with one a worker is a standby until it is said to be active") {
    const Folder folder;
    CHECK_FALSE(standing_at_start({}, folder.path));
    CHECK(standing_at_start(with_state(), folder.path) ==
          Standing{.role = Role::standby, .epoch = 0, .node = "edge-a"});
    const Standing active{.role = Role::active, .epoch = 3, .node = "edge-a"};
    REQUIRE(write_standing(folder.path, io::boot_id(), active));
    CHECK(standing_at_start(with_state(), folder.path) == active);
    CHECK_FALSE(standing_at_start({}, folder.path));
    CHECK_FALSE(node_name({}).empty());
}

TEST_CASE("of several active nodes each begins as one") {
    const Folder folder;
    config::Cluster cluster = with_state();
    cluster.peers = {{.node = "edge-a", .listen = {}}, {.node = "edge-b", .listen = {}}};
    CHECK(standing_at_start(cluster, folder.path) == Standing{.role = Role::active, .epoch = 0, .node = "edge-a"});
    const Standing before{.role = Role::standby, .epoch = 3, .node = "edge-a"};
    REQUIRE(write_standing(folder.path, io::boot_id(), before));
    CHECK(standing_at_start(cluster, folder.path) == Standing{.role = Role::active, .epoch = 3, .node = "edge-a"});
}
