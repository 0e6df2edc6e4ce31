#include "natkit/config/cluster_keys.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace natkit;

namespace {

const std::string zeros(64, '0');
const std::string ones = "0123456789ABCDEFabcdef" + std::string(42, '1');

}  // namespace

TEST_CASE("config::ClusterKeys: one key, or two of which the first is used") {
    const auto one = config::parse_cluster_keys(ones + "\n", "key");
    REQUIRE(one);
    CHECK(one->first[0] == 0x01);
    CHECK(one->first[7] == 0xEF);
    CHECK(one->first[8] == 0xab);
    CHECK(one->first[31] == 0x11);
    CHECK_FALSE(one->second);
    const auto two = config::parse_cluster_keys("\r\n " + zeros + " \r\n\n" + ones, "key");
    REQUIRE(two);
    CHECK(two->first == config::ClusterKeys::Key{});
    CHECK(two->second == one->first);
}

TEST_CASE("config::ClusterKeys: what is wrong is told with its line and what to write instead, and never quoted") {
    struct Case {
        const char* why;
        std::string text;
        const char* where;
        const char* message;
    };
    const Case cases[] = {
        {"nothing", "", "key", "no key in it; write 64 hexadecimal digits, as `openssl rand -hex 32` gives them"},
        {"blank lines", "\n\n", "key", "no key in it"},
        {"another text", zeros + "\nopen sesame\n", "key:2", "not a key; write 64 hexadecimal digits"},
        {"a prefix", "0x" + std::string(62, 'a'), "key:1", "not a key"},
        {"a sign", "-" + std::string(63, 'a'), "key:1", "not a key"},
        {"too short", "\nabc\n", "key:2", "a key of 3 hexadecimal digits; write 64"},
        {"two in a line", zeros + zeros, "key:1", "a key of 128 hexadecimal digits"},
        {"three", zeros + "\n" + ones + "\n" + zeros, "key:3", "a third key; write two at most: the one to be used"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto keys = config::parse_cluster_keys(c.text, "key");
        REQUIRE_FALSE(keys);
        REQUIRE(keys.error().size() == 1);
        CHECK(keys.error()[0].code == Errc::bad_config);
        CHECK(keys.error()[0].where == c.where);
        CHECK(keys.error()[0].message.find("[cluster] key: ") == 0);
        CHECK(keys.error()[0].message.find(c.message) != std::string::npos);
        CHECK(keys.error()[0].message.find("sesame") == std::string::npos);
    }
}

TEST_CASE("config::ClusterKeys: a file of this user's alone") {
    std::string name = (std::filesystem::temp_directory_path() / "natkit-keys-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    const std::filesystem::path folder = name;
    const std::string path = (folder / "cluster.key").string();
    const auto message = [&] {
        const auto keys = config::load_cluster_keys(path);
        return keys ? std::string() : keys.error().front().where + ": " + keys.error().front().message;
    };
    CHECK(message() == path +
                           ": [cluster] key: No such file or directory; write the path of a file of mode 0600 that "
                           "holds the key of the cluster");
    std::ofstream(path) << ones << "\n";
    REQUIRE(chmod(path.c_str(), 0640) == 0);
    CHECK(message() == path + ": [cluster] key: readable for others; set its mode to 0600 (chmod 600)");
    REQUIRE(chmod(path.c_str(), 0600) == 0);
    CHECK(message().empty());
    std::ofstream(path) << std::string(5000, '\n');
    CHECK(message().find("not a file of one or two keys") != std::string::npos);
    std::ofstream(path) << ones.substr(1) << "\n";
    CHECK(message().starts_with(path + ":1: "));
    std::filesystem::remove_all(folder);
}
