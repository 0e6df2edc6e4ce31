#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "natkit/metrics/text.hpp"

namespace natkit::supervise {

/// Counts what the workers tell their watchers, and makes metrics of it and of their status. Bounded: at most 64
/// label values a metric. natkit(1) documents each metric.
class Tally {
  public:
    /// A record of a worker's watch, after its snapshot.
    void on_record(const nlohmann::ordered_json& record);

    /// `status` is what natkit answers to `status`.
    [[nodiscard]] std::vector<metrics::Family> families(const nlohmann::ordered_json& status) const;

  private:
    using Counts = std::map<std::string, std::uint64_t>;
    static void count(Counts& counts, const std::string& label);

    Counts decisions_;
    Counts one_way_;
    Counts timeouts_;
    Counts refusals_;
    Counts latches_;
};

}  // namespace natkit::supervise
