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
