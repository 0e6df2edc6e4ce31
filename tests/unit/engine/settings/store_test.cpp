#include "store.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "file.hpp"
#include "show.hpp"
#include "undo.hpp"

using namespace natkit;
using namespace std::chrono_literals;
using settings::State;

namespace {

constexpr WallTime noon{std::chrono::hours(12)};

/// A folder of its own, gone at the end.
struct Folder {
    std::array<char, 32> name{"/tmp/natkit-settings-XXXXXX"};
    Folder() { REQUIRE(::mkdtemp(name.data()) != nullptr); }
    ~Folder() {
        std::error_code error;
        std::filesystem::remove_all(name.data(), error);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string operator/(const char* file) const { return std::string(name.data()) + "/" + file; }
};

settings::Version version(const std::string& text, const std::string& hash) {
    return {.number = 0,
            .time = noon,
            .who = "anna",
            .client = "192.0.2.1",
            .summary = "network.lan",
            .state = State::pending,
            .hash = hash,
            .text = text};
}

}  // namespace

TEST_CASE("settings::replace_file: mode and link stay, and nothing is left beside the file") {
    const Folder folder;
    REQUIRE(settings::replace_file(folder / "natkit.toml", "a").has_value());
    REQUIRE(::chmod((folder / "natkit.toml").c_str(), 0640) == 0);
    REQUIRE(::symlink("natkit.toml", (folder / "link").c_str()) == 0);
    CHECK(settings::why_not_replaceable(folder / "link").empty());
    REQUIRE(settings::replace_file(folder / "link", "b").has_value());
    CHECK(settings::read_file(folder / "natkit.toml") == "b");
    CHECK(std::filesystem::is_symlink(folder / "link"));
    struct stat now{};
    REQUIRE(::stat((folder / "natkit.toml").c_str(), &now) == 0);
    CHECK((now.st_mode & 07777) == 0640);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.name.data()), {}) == 2);
    CHECK(!settings::replace_file(folder / "no/such", "b").has_value());
    CHECK(!settings::why_not_replaceable(folder / "no/such").empty());
}

TEST_CASE("settings::Store: the last twenty versions, newest first") {
    const Folder folder;
    settings::Store store(folder / "kept");
    CHECK(store.versions().empty());
    CHECK(store.why_not_writable().empty());
    for (unsigned number = 1; number <= 22; ++number) {
        const auto added = store.add(version("text " + std::to_string(number), "h"));
        REQUIRE(added.has_value());
        CHECK(*added == number);
    }
    REQUIRE(settings::replace_file(folder / "kept/000001.json", "{not ours").has_value());
    const auto versions = store.versions();
    REQUIRE(versions.size() == 20);
    CHECK(versions.front().number == 22);
    CHECK(versions.back().number == 3);
    CHECK(store.version(2).error().code == Errc::not_found);
    store.set_state(22, State::confirmed);
    const auto last = store.version(22);
    REQUIRE(last.has_value());
    CHECK(last->state == State::confirmed);
    CHECK(last->text == "text 22");
    CHECK(last->time == noon);
}

TEST_CASE("settings::undo: the file is as before, unless somebody has edited it since") {
    const std::string hash_a = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
    const std::string hash_b = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
    struct {
        const char* why;
        const char* there;
        const char* after;
        settings::Undone want;
    } const cases[] = {
        {"it is in effect", "b", "a", settings::Undone::put_back},
        {"natkit died before it wrote the file", "a", "a", settings::Undone::put_back},
        {"edited since", "c", "c", settings::Undone::edited},
    };
    for (const auto& c : cases) {
        CAPTURE(c.why);
        const Folder folder;
        settings::Store store(folder / "kept");
        REQUIRE(settings::replace_file(folder / "natkit.toml", c.there).has_value());
        const auto before = store.add(version("a", hash_a));
        const auto after = store.add(version("b", hash_b));
        REQUIRE((before && after));
        const settings::Unconfirmed change{
            .pending = {.version = *after, .by = "s1", .who = "anna", .until = noon + 60s},
            .file = folder / "natkit.toml",
            .before = *before,
            .hash_after = hash_b};
        REQUIRE(store.keep(change).has_value());
        const auto kept = store.unconfirmed();
        REQUIRE(kept.has_value());
        CHECK(kept->pending == change.pending);
        const auto undone = settings::undo(store, *kept);
        REQUIRE(undone.has_value());
        CHECK(*undone == c.want);
        CHECK(settings::read_file(folder / "natkit.toml") == c.after);
        CHECK(!store.unconfirmed());
        CHECK(store.version(*after)->state == State::undone);
    }
}

TEST_CASE("settings::changes_of: what is no list of changes is refused") {
    for (const char* text :
         {R"({})", R"({"changes":{}})", R"({"changes":[1]})", R"({"changes":[{"section":"a","key":"b"}]})",
          R"({"changes":[{"section":"a","key":"b","value":{}}]})",
          R"({"changes":[{"section":"a","key":"b","value":[1]}]})",
          R"({"changes":[{"section":"a","key":"b","value":1.5}]})"}) {
        CAPTURE(text);
        CHECK(!settings::changes_of(settings::Json::parse(text)));
    }
    const auto changes = settings::changes_of(settings::Json::parse(
        R"({"changes":[{"section":"a","key":"b","value":["c"]},{"section":"a","key":"d","reset":true}]})"));
    REQUIRE(changes.has_value());
    CHECK(changes->at(0) == settings::Change{"a", "b", std::vector<std::string>{"c"}});
    CHECK(!changes->at(1).value);
}
