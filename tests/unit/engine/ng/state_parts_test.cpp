#include "state_parts.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

using namespace natkit::ng;

TEST_CASE("ng: a state in parts is whole again, in whatever order they come") {
    const std::string texts[] = {"{}", std::string(100'000, 'x'), std::string(5'000, '"'),
                                 std::string(3'000, '\\') + "\n\t"};
    std::string characters;
    for (int i = 0; i < 2'000; ++i) characters += "aä€";
    for (const std::string& text : {texts[0], texts[1], texts[2], texts[3], characters}) {
        for (const std::size_t room : {std::size_t{256}, std::size_t{1'000}, std::size_t{8'192}}) {
            CAPTURE(text.substr(0, 20));
            CAPTURE(room);
            auto parts = divide(text, room);
            for (const std::string& part : parts) {
                CHECK(part.size() <= room);
                CHECK(nlohmann::json::accept(part));
            }
            std::ranges::reverse(parts);
            Parts found;
            for (std::size_t i = 0; i < parts.size(); ++i) {
                if (i + 1 == parts.size() && i > 0) CHECK(found.complete().empty());
                CHECK(found.add(parts[i], "leg" + std::to_string(i)));
            }
            const auto whole = found.complete();
            REQUIRE(whole.size() == 1);
            CHECK(whole[0].text == text);
            CHECK(whole[0].carriers.size() == parts.size());
            CHECK(whole[0].carriers[0] == "leg" + std::to_string(parts.size() - 1));
        }
    }
}

TEST_CASE("ng: what is no part of a state, or of another one") {
    Parts found;
    CHECK_FALSE(found.add("{}", "a"));
    CHECK_FALSE(found.add("{\"names\":{}}", "a"));
    CHECK(found.add("{\"part\":broken", "a"));
    const auto one = divide(std::string(400, 'a'), 256);
    const auto other = divide(std::string(400, 'b'), 256);
    REQUIRE(one.size() > 1);
    CHECK(found.add(one[0], "a"));
    for (std::size_t i = 1; i < other.size(); ++i) CHECK(found.add(other[i], "b"));
    CHECK(found.complete().empty());
}
