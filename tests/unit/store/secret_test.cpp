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
