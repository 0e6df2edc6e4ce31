#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "natkit/diagnose/case.hpp"
#include "natkit/diagnose/finding.hpp"

namespace natkit::diagnose {

struct StreamReport {
    std::string kind;
    Traffic to_callee, to_caller;
    std::vector<PhaseTraffic> to_callee_phases, to_caller_phases;
};

/// When which descriptions held; the streams have what went in each.
struct PhaseReport {
    double from_s = 0, to_s = 0;  ///< since the call began
    std::uint64_t frame = 0;      ///< of the answer
    bool early = false;           ///< before the call was answered
};

/// How a call, or a registration, ended.
enum class Outcome : std::uint8_t {
    answered,
    refused,    ///< by a final response
    no_answer,  ///< nobody took it, or no response came
    dropped,    ///< answered, and ended by a fault
    hung,       ///< answered, and one side does not know that it is over
};

[[nodiscard]] const char* to_string(Outcome outcome) noexcept;  ///< "no_answer"

/// What is told about a call.
struct Diagnosis {
    std::string call_id;
    std::array<std::string, 2> names;  ///< user@host of From and To
    bool registration = false;
    std::uint64_t first_frame = 0;
    std::int64_t first_ns = 0, end_ns = 0;
    Outcome outcome{};
    int status = 0;  ///< last final SIP status of what began it; 0: none
    std::vector<PhaseReport> phases;
    std::vector<StreamReport> streams;
    std::vector<Finding> findings;  ///< gravest first, each with its consequences behind it; empty: nothing is wrong
    bool media_seen = false;
    bool cut = false;  ///< the capture has less of some message than was sent

    [[nodiscard]] bool broken() const;  ///< some finding is harmful
};

/// The doctor: asks the rules of table.hpp in their order.
[[nodiscard]] Diagnosis diagnose(const CallFacts& facts);

/// rules/consequences.cpp: one finding for one cause, each with what came of it behind it.
[[nodiscard]] std::vector<Finding> with_consequences(const Case& one, std::vector<Finding> findings);

/// outcome.cpp. `findings`: what the rules have found.
[[nodiscard]] Outcome outcome_of(const Case& one, const Findings& findings);
[[nodiscard]] int last_status(const Call& call);

}  // namespace natkit::diagnose
