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
            .call_id = "c'1",
            .cseq = 4'000'000'000u,
            .q = 500,
            .user_agent = "phone; \"x\"",
            .authenticated = true,
            .server = "pbx.example.net"};
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

TEST_CASE("store::Bindings: what cannot be opened says why") {
    const TemporaryFolder folder;
    CHECK(store::Bindings::open((folder.path / "no" / "x.db").string()).error().code == Errc::system);
    std::ofstream(folder.path / "text.db")
        << "this is no database, and it is longer than a header would be: " << std::string(2000, 'x');
    CHECK(store::Bindings::open((folder.path / "text.db").string()).error().code == Errc::system);
    CHECK(store::Bindings::open("")->load()->empty());
}
