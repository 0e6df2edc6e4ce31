#pragma once

#include <string>
#include <vector>

#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/finding.hpp"

namespace natkit::diagnose {

struct StreamReport {
    std::string kind;
    Traffic to_callee, to_caller;
};

/// What is told about a call.
struct Diagnosis {
    std::string call_id;
    std::uint64_t first_frame = 0;
    std::vector<StreamReport> streams;
    std::vector<Finding> findings;  ///< gravest first; empty: nothing wrong was found
    bool media_seen = false;
    bool cut = false;  ///< the capture has less of some message than was sent
};

/// The one-way-audio doctor: asks the rules of table.hpp in their order.
[[nodiscard]] Diagnosis diagnose(const CallFacts& facts);

}  // namespace natkit::diagnose
