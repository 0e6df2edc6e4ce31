#include "natkit/store/secret.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

using namespace natkit;

TEST_CASE("store::load_or_make_secret: made once, kept private, never guessed") {
    std::string folder = (std::filesystem::temp_directory_path() / "natkit-secret-XXXXXX").string();
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const std::string path = folder + "/secret";
    const auto sevens = [](std::span<std::uint8_t> out) { std::ranges::fill(out, std::uint8_t{7}); };
    const auto nines = [](std::span<std::uint8_t> out) { std::ranges::fill(out, std::uint8_t{9}); };
    CHECK(store::load_or_make_secret(path, sevens).value()[0] == 7);
    CHECK(store::load_or_make_secret(path, nines).value()[31] == 7);
    REQUIRE(chmod(path.c_str(), 0644) == 0);
    CHECK(store::load_or_make_secret(path, nines).error().code == Errc::refused);
    REQUIRE(chmod(path.c_str(), 0600) == 0);
    std::filesystem::resize_file(path, 5);
    CHECK(store::load_or_make_secret(path, nines).error().code == Errc::bad_input);
    CHECK(store::load_or_make_secret(folder + "/no/secret", nines).error().code == Errc::system);
    std::filesystem::remove_all(folder);
}

TEST_CASE("store::used_since: when this version took over a key that another had used; never for a key of its own") {
    std::string folder = (std::filesystem::temp_directory_path() / "natkit-secret-XXXXXX").string();
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    const std::string path = folder + "/secret";
    const auto sevens = [](std::span<std::uint8_t> out) { std::ranges::fill(out, std::uint8_t{7}); };
    const auto at = [](int seconds) { return WallTime(std::chrono::seconds(1'700'000'000 + seconds)); };
    SUBCASE("a new key") {
        CHECK_FALSE(store::used_since(path, at(0)).has_value());
        REQUIRE(store::load_or_make_secret(path, sevens).has_value());
        CHECK_FALSE(store::used_since(path, at(5)).has_value());
    }
    SUBCASE("an upgrade, and what comes after it") {
        REQUIRE(store::load_or_make_secret(path, sevens).has_value());
        CHECK(store::used_since(path, at(5)) == at(5));
        CHECK(store::used_since(path, at(9)) == at(5));
        std::filesystem::resize_file(path + store::since_suffix, 0);  // the disk was full
        CHECK(store::used_since(path, at(12)) == at(12));
        CHECK(store::used_since(path, at(13)) == at(12));
    }
    SUBCASE("nothing can be written: old tokens hold, and nothing fails") {
        REQUIRE(store::load_or_make_secret(path, sevens).has_value());
        std::filesystem::create_directories(path + store::since_suffix + "/x");
        CHECK(store::used_since(path, at(5)) == at(5));
        CHECK(store::used_since(path, at(6)) == at(6));
    }
    std::filesystem::remove_all(folder);
}
