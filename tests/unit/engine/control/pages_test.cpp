#include "natkit/engine/control/pages.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>

#include "natkit/base/keys_after.hpp"

using namespace natkit;
using namespace natkit::control;

TEST_CASE("control::Page: what fits a line, and where the next page begins") {
    Page page("calls");
    std::size_t count = 0;
    while (!page.full()) page.add({{"call_id", std::to_string(count++)}, {"padding", std::string(10'000, 'x')}});
    const Json reply = page.close("the last");
    CHECK(reply["calls"].size() == count);
    CHECK(reply["next"] == "the last");
    CHECK(reply.dump().size() > 700'000);
    CHECK(reply.dump().size() < (1U << 20) - 200'000);
    CHECK(Page("clients").close() == Json({{"clients", Json::array()}}));
}

TEST_CASE("keys_after: each key is on one page, whatever their order in the map") {
    std::unordered_map<std::string, int> map;
    for (int i = 0; i < 1000; ++i) map["key" + std::to_string(i)] = i;
    std::string after;
    std::string before;
    std::size_t seen = 0;
    for (auto keys = keys_after(map, after, 7); !keys.empty(); keys = keys_after(map, after, 7)) {
        CHECK(keys.size() <= 7);
        for (const std::string* key : keys) {
            CHECK(*key > before);
            before = *key;
            ++seen;
        }
        after = before;
    }
    CHECK(seen == map.size());
    CHECK(keys_after(map, std::string("zzz"), 7).empty());
}
