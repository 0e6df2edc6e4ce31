#include "natkit/engine/console/show.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace natkit;
using Json = nlohmann::ordered_json;
using Lines = std::vector<std::string>;

TEST_CASE("console::cluster_lines: one of several active edges") {
    Json cluster = Json::parse(R"({"shape":"several","node":"edge-a","group":"natkit","role":"active","epoch":3,
        "lease":"held","redis":"connected","ready":true,"clients":{"own":12,"foreign":7,"taken":2,"nobody":1},
        "nodes":[{"node":"edge-b","live":true,"epoch":2,"clients":7,"read":true},
                 {"node":"edge-c","live":false,"epoch":1,"clients":3,"read":true}]})");
    CHECK(console::cluster_lines(cluster) ==
          Lines{"cluster natkit: edge-a is one of several active edges, epoch 3", "  lease held, Redis connected",
                "  registrations: own 12, just being taken from another node 2, of other nodes 7, of nobody 1",
                "  edge-b: live, epoch 2, registrations 7", "  edge-c: not live, epoch 1, registrations 3"});
    cluster["lease"] = "Redis has not answered for 4 s";
    cluster["ready"] = false;
    cluster["ready_why"] = "no lease";
    cluster["nodes"] = Json::parse(R"([{"node":"edge-b","live":true,"epoch":2,"clients":0,"read":false}])");
    const Lines lines = console::cluster_lines(cluster);
    CHECK(lines[1] == "  lease not held: Redis has not answered for 4 s, Redis connected");
    CHECK(lines[3] == "  edge-b: live, epoch 2, registrations 0, not read yet");
    CHECK(lines[4] == "  not ready: no lease");
}

TEST_CASE("console::cluster_lines: a status of anybody's making is told, whatever is in it") {
    CHECK(console::cluster_lines(Json()).empty());
    CHECK(console::cluster_lines(Json::parse(R"({"shape":"several","nodes":7,"clients":[],"lease":null})")).size() >=
          3);
}
