#pragma once

#include <cstdint>
#include <string_view>

#include "natkit/base/error.hpp"

namespace natkit {

/// How much a program tells; each level includes those before it (the CommuniGate guide's names).
enum class LogLevel : std::uint8_t {
    crashes,    ///< the program cannot go on
    failures,   ///< something asked for could not be done
    major,      ///< what an operator wants to know by default: start, stop, calls relayed, clients lost
    problems,   ///< odd input that was dealt with
    low_level,  ///< each message and decision
    all,        ///< each packet
};

/// "crashes", "failures", "major", "problems", "low-level", "all".
[[nodiscard]] const char* to_string(LogLevel level) noexcept;
[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view text);

}  // namespace natkit
