#include "tally.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace natkit;

TEST_CASE("supervise::Tally: when the certificate expires is told where there is one") {
    const supervise::Tally tally;
    nlohmann::ordered_json status = {{"uptime_s", 5}};
    CHECK(metrics::to_text(tally.families(status)).find("natkit_certificate") == std::string::npos);
    status["certificate_expires_s"] = 1'800'000'000;
    const std::string text = metrics::to_text(tally.families(status));
    const std::size_t at = text.find("\nnatkit_certificate_expiry_timestamp_seconds ");
    REQUIRE(at != std::string::npos);
    CHECK(std::stod(text.substr(text.find(' ', at))) == 1'800'000'000);
}

TEST_CASE("supervise::Tally: what each process takes of the machine is told, where it is known") {
    const nlohmann::ordered_json known = {
        {"name", "sipedge"}, {"state", "running"}, {"cpu_s", 1.25}, {"memory_bytes", 4096}};
    const nlohmann::ordered_json hidden = {{"name", "natpinger"}, {"state", "running"}};
    const std::string text = metrics::to_text(
        supervise::Tally().families({{"cpu_s", 0.5}, {"memory_bytes", 8192}, {"components", {known, hidden}}}));
    for (const char* line : {"natkit_process_cpu_seconds_total{component=\"natkit\"} 0.5\n",
                             "natkit_process_cpu_seconds_total{component=\"sipedge\"} 1.25\n",
                             "natkit_process_resident_memory_bytes{component=\"natkit\"} 8192\n",
                             "natkit_process_resident_memory_bytes{component=\"sipedge\"} 4096\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
    CHECK(text.find("memory_bytes{component=\"natpinger\"}") == std::string::npos);
}

TEST_CASE("supervise::Tally: what the relay has forwarded is told by direction") {
    const nlohmann::ordered_json relay = {{"name", "mediarelay"},
                                          {"state", "running"},
                                          {"received", {{"packets", 12}, {"bytes", 2064}}},
                                          {"sent", {{"packets", 11}, {"bytes", 1892}}}};
    const std::string text = metrics::to_text(supervise::Tally().families({{"components", {relay}}}));
    for (const char* line : {"natkit_media_packets_total{direction=\"received\"} 12\n",
                             "natkit_media_packets_total{direction=\"sent\"} 11\n",
                             "natkit_media_bytes_total{direction=\"received\"} 2064\n",
                             "natkit_media_bytes_total{direction=\"sent\"} 1892\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("supervise::Tally: what a collector is sent is told of each program that sends") {
    const supervise::Tally tally;
    const nlohmann::ordered_json status = {
        {"components",
         {{{"name", "mediarelay"}, {"hep", {{"target", "udp:homer:9060"}, {"sent", 7}, {"dropped", 2}}}},
          {{"name", "sipedge"}}}}};
    const std::string text = metrics::to_text(tally.families(status));
    CHECK(text.find("\nnatkit_hep_sent_total{component=\"mediarelay\"} 7\n") != std::string::npos);
    CHECK(text.find("\nnatkit_hep_dropped_total{component=\"mediarelay\"} 2\n") != std::string::npos);
    CHECK(text.find("component=\"sipedge\"} 7") == std::string::npos);
}

TEST_CASE("supervise::Tally: one of several active edges tells of its lease and whose the clients are") {
    nlohmann::ordered_json cluster = {
        {"shape", "several"},
        {"role", "active"},
        {"epoch", 4},
        {"lease", "held"},
        {"nodes", {{{"node", "edge-b"}, {"live", true}}, {{"node", "edge-c"}, {"live", false}}}},
        {"clients", {{"own", 9}, {"foreign", 5}, {"taken", 2}, {"nobody", 1}}}};
    const auto told = [&] { return metrics::to_text(supervise::Tally().families({{"cluster", cluster}})); };
    const std::string text = told();
    for (const char* line :
         {"natkit_cluster_lease 1\n", "natkit_cluster_node_live{node=\"edge-b\"} 1\n",
          "natkit_cluster_node_live{node=\"edge-c\"} 0\n", "natkit_cluster_clients{whose=\"own\"} 9\n",
          "natkit_cluster_clients{whose=\"nobody\"} 1\n", "natkit_cluster_active 1\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
    // No standby is behind where there is none.
    CHECK(text.find("natkit_cluster_standbys") == std::string::npos);
    cluster["lease"] = "Redis does not answer";
    CHECK(told().find("natkit_cluster_lease 0\n") != std::string::npos);
    cluster["shape"] = "pair";
    CHECK(told().find("natkit_cluster_standbys 0\n") != std::string::npos);
}
