#include "natkit/metrics/text.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("metrics: the exposition format") {
    const std::string text = metrics::to_text({
        {.name = "natkit_calls", .help = "Calls.", .samples = {{.labels = {}, .value = 3}}},
        {.name = "natkit_drops_total",
         .help = "Drops.",
         .counter = true,
         .samples = {{.labels = {{"reason", "a \"b\"\n"}}, .value = 2}, {.labels = {{"reason", "c"}}, .value = 0}}},
        {.name = "natkit_nothing", .help = "Nothing.", .samples = {}},
    });
    CHECK(text ==
          "# HELP natkit_calls Calls.\n# TYPE natkit_calls gauge\nnatkit_calls 3\n"
          "# HELP natkit_drops_total Drops.\n# TYPE natkit_drops_total counter\n"
          "natkit_drops_total{reason=\"a \\\"b\\\"\\n\"} 2\nnatkit_drops_total{reason=\"c\"} 0\n");
}
