#pragma once

#include <string>
#include <utility>
#include <vector>

/// Prometheus metrics as text (exposition format 0.0.4).
namespace natkit::metrics {

struct Sample {
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
};

struct Family {
    std::string name;  ///< "natkit_calls"; of a counter ending in "_total"
    std::string help;
    bool counter = false;
    std::vector<Sample> samples;
};

/// Families without samples are left out.
[[nodiscard]] std::string to_text(const std::vector<Family>& families);

}  // namespace natkit::metrics
