#include "natkit/store/bindings.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace natkit;

namespace {

struct TemporaryFolder {
    std::filesystem::path path;
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "natkit-store-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

store::BindingRow row(const char* id, std::int64_t expires_ms) {
    return {.id = id,
            .aor = "bob@example.com",
            .contact = "sip:bob@10.0.0.1",
            .instance = "<urn:uuid:1>",
            .flow = "udp:203.0.113.10:5060-198.51.100.7:40001",
            .place = "far-end",
            .rule = "nated",
            .site = "198.51.100.7",
            .expires_ms = expires_ms,
            .registered_ms = expires_ms - 600'000,
            .call_id = "c'1",
            .cseq = 4'000'000'000u,
            .q = 500,
            .user_agent = "phone; \"x\"",
            .authenticated = true,
            .server = "pbx.example.net",
            .reached = true};
}

}  // namespace

TEST_CASE("store::Bindings: what was saved is there after a restart, byte for byte") {
    const TemporaryFolder folder;
    const std::string path = (folder.path / "state.db").string();
    {
        auto bindings = store::Bindings::open(path).value();
        REQUIRE(bindings.save(row("a", 1)).has_value());
        REQUIRE(bindings.save(row("b", 2)).has_value());
        REQUIRE(bindings.save(row("a", 3)).has_value());
        REQUIRE(bindings.remove("b").has_value());
    }
    const auto rows = store::Bindings::open(path)->load().value();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0] == row("a", 3));
    struct stat status{};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("store::Bindings: many changes are made at once") {
    const TemporaryFolder folder;
    const std::string path = (folder.path / "state.db").string();
    {
        auto bindings = store::Bindings::open(path).value();
        REQUIRE(bindings.save(row("a", 1)));
        REQUIRE(bindings.save(row("b", 1)));
        REQUIRE(bindings.apply(std::vector{row("b", 2), row("c", 3)}, std::vector<std::string>{"a", "none"}));
        REQUIRE(bindings.apply({}, {}));
    }
    const auto rows = store::Bindings::open(path)->load().value();
    CHECK(rows == std::vector{row("b", 2), row("c", 3)});
    CHECK(store::Bindings::open("")->apply(std::vector{row("a", 1)}, {}));
}

TEST_CASE("store::Bindings: what cannot be opened says why") {
    const TemporaryFolder folder;
    CHECK(store::Bindings::open((folder.path / "no" / "x.db").string()).error().code == Errc::system);
    CHECK(store::Bindings::open(folder.path.string()).error().code == Errc::system);
    CHECK(store::Bindings::open("")->load()->empty());
}

TEST_CASE("store::Bindings: a file that is damaged or another's is set aside, and a new one begun") {
    const TemporaryFolder folder;
    const std::string path = (folder.path / "state.db").string();
    const auto write = [&](const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; };
    const auto check = [&](const char* what) {
        CAPTURE(what);
        auto bindings = store::Bindings::open(path);
        REQUIRE(bindings);
        CHECK(bindings->note().find("set aside as " + path + ".old") != std::string::npos);
        CHECK(std::filesystem::exists(path + ".old"));
        CHECK(bindings->load()->empty());
        REQUIRE(bindings->save(row("a", 1)));
    };
    write(
        "this is no database at all, though it is long enough to be one with a header of a hundred bytes and more in "
        "it");
    check("not a database");
    CHECK(store::Bindings::open(path)->note().empty());
    CHECK(store::Bindings::open(path)->load()->size() == 1);
    {
        auto bindings = store::Bindings::open(path).value();
        for (int i = 0; i < 200; ++i) REQUIRE(bindings.save(row(std::to_string(i).c_str(), i)));
    }
    std::fstream(path, std::ios::binary | std::ios::in | std::ios::out)
        .seekp(4096)
        .write(std::string(4096, 'x').data(), 4096);
    check("a page of it");
}

TEST_CASE(
    "store::Bindings: without a file that can be written there are registrations all the same, and later the file") {
    const TemporaryFolder folder;
    const std::string inside = (folder.path / "inside").string();
    const std::string path = inside + "/state.db";
    auto bindings = store::Bindings::open_or_wait(path, std::chrono::milliseconds(0));
    CHECK_FALSE(bindings.writable());
    CHECK(bindings.note().find("kept in memory until it can be written") != std::string::npos);
    CHECK(bindings.load()->empty());
    CHECK_FALSE(bindings.save(row("a", 1)));
    CHECK(bindings.remove("a"));
    std::filesystem::create_directory(inside);
    {
        auto before = store::Bindings::open(path).value();
        REQUIRE(before.save(row("old", 1)));
    }
    REQUIRE(bindings.save(row("b", 2)));
    CHECK(bindings.writable());
    const auto rows = store::Bindings::open(path)->load().value();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].id == "b");
}

TEST_CASE("store::Bindings: what can be read of a file that cannot be written is there") {
    const TemporaryFolder folder;
    const std::string path = (folder.path / "state.db").string();
    REQUIRE(store::Bindings::open(path)->save(row("a", 1)));
    // A folder where the log beside the file belongs: SQLite cannot write, whoever it is.
    std::filesystem::remove(path + "-wal");
    std::filesystem::create_directory(path + "-wal");
    const auto bindings = store::Bindings::open_or_wait(path);
    CHECK_FALSE(bindings.writable());
    CHECK(bindings.load()->size() == 1);
}
