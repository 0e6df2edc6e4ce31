#include "natkit/record/pass.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace natkit;
using namespace natkit::record;
using Json = nlohmann::ordered_json;

namespace {

const char* const line =
    R"({"type":"pass","call_id":"c1",)"
    R"("caller":{"place":"lan","site":"192.168.10.20","neighbour":"192.168.10.20:5060","edge":"192.168.10.1:5060","tag":"a"},)"
    R"("callee":{"place":"far-end","site":"198.51.100.0/24","neighbour":"198.51.100.7:40001","edge":"203.0.113.10:5060","tag":"b"},)"
    R"("streams":[{"kind":"rtp","caller":{"said":"192.168.10.20:4000","shown":"192.168.10.1:16386","leg":"192.168.10.1:16386",)"
    R"("joined":"203.0.113.10:16384"},"callee":{"said":"10.0.0.5:5000","shown":"203.0.113.10:16384","leg":"203.0.113.10:16384",)"
    R"("joined":"192.168.10.1:16386"}},{}]})";

}  // namespace

TEST_CASE("pass: read and written again, it is the same") {
    const auto pass = read_pass(Json::parse(line));
    REQUIRE(pass);
    CHECK(pass->ends[1].place == nat::Place::far_end);
    CHECK(pass->streams.at(0).ends[0].joined == Endpoint::parse("203.0.113.10:16384").value());
    CHECK(pass->streams.at(1).kind.empty());
    CHECK(to_json(*pass).dump() == line);
}

TEST_CASE("pass: what is missing or of another kind is named") {
    const Json good = Json::parse(line);
    const auto where = [](const Json& json) {
        const auto pass = read_pass(json);
        return pass ? std::string("read") : pass.error().where;
    };
    for (const char* key : {"call_id", "caller", "callee", "streams"}) {
        Json json = good;
        json.erase(key);
        CHECK(where(json) == key);
        json[key] = 7;
        CHECK(where(json).starts_with(key));
    }
    for (const char* key : {"neighbour", "edge", "place", "site"}) {
        Json json = good;
        json["callee"][key] = "nonsense";
        CHECK(where(json) == std::string("callee.") + key);
    }
    Json json = good;
    json["streams"][0]["caller"]["said"] = 4000;
    CHECK(where(json) == "streams[0].caller.said");
    json["streams"] = Json::array({7, "x", Json::array()});
    CHECK(where(json) == "read");  // streams of no kind: as if rejected
    for (int i = 0; i < 70; ++i) json["streams"].push_back(Json::object());
    CHECK(where(json) == "streams");
}
