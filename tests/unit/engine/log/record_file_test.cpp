#include "natkit/engine/log/record_file.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using natkit::log::RecordFile;

namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-records-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string text(const char* name) const {
        std::ostringstream all;
        all << std::ifstream(path / name).rdbuf();
        return all.str();
    }
};

}  // namespace

TEST_CASE("records are appended, a line each, and to a new file after a rotation") {
    const Folder folder;
    const std::string file = (folder.path / "calls").string();
    RecordFile records;
    CHECK_FALSE(records.is_open());
    records.write("{\"n\":0}");
    REQUIRE(records.open(file));
    records.write("{\"n\":1}");
    records.write("{\"n\":2}");
    std::filesystem::rename(file, file + ".1");
    records.write("{\"n\":3}");
    REQUIRE(records.open(file));
    records.write("{\"n\":4}");
    CHECK(folder.text("calls.1") == "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    CHECK(folder.text("calls") == "{\"n\":4}\n");
    REQUIRE(records.open(""));
    CHECK_FALSE(records.is_open());
}

TEST_CASE("records that a file does not take are counted, and the next one has a line of its own") {
    RecordFile records;
    REQUIRE(records.open("/dev/full"));
    records.write("{}");
    CHECK(records.problem().find("1 so far") != std::string::npos);
    records.write("{}");
    CHECK(records.problem().find("2 so far") != std::string::npos);
    CHECK_FALSE(records.open("/proc/none/such"));
    CHECK(records.problem().find("/proc/none/such") != std::string::npos);
    CHECK(records.is_open());  // the old one stays
    const Folder folder;
    REQUIRE(records.open((folder.path / "calls").string()));
    CHECK(records.problem().empty());
    records.write("{}");
    CHECK(records.problem().empty());
    CHECK(folder.text("calls").ends_with("{}\n"));
}
