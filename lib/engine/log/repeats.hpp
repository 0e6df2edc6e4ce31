#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/log_level.hpp"

namespace natkit::log {

/// Keeps a text that comes again and again from filling the log. Bounded: a fixed number of texts is remembered, an
/// older one gives way. Pure: the time is an argument.
class Repeats {
  public:
    using Time = std::chrono::sys_time<std::chrono::milliseconds>;

    /// A line as the logger got it. `tag` is a literal.
    struct Line {
        const char* tag = "";
        LogLevel level{};
        std::string text;
    };

    /// Whether the line is to be written. `owed` gets the summary of lines that gave way to it.
    [[nodiscard]] bool on_line(const char* tag, LogLevel level, std::string_view text, Time now,
                               std::vector<Line>& owed);

    /// The summaries of what was not written and has not been told: those whose time is over, or all.
    [[nodiscard]] std::vector<Line> owed(Time now, bool all = false);

  private:
    static constexpr unsigned free_lines = 5;
    static constexpr std::chrono::seconds window{10};

    struct Slot {
        std::uint64_t hash = 0;
        Time since{};
        unsigned count = 0;
        Line line;  ///< once lines are held back
    };
    [[nodiscard]] static bool over(const Slot& slot, Time now) noexcept;
    static void summarise(Slot& slot, std::vector<Line>& owed);

    std::array<Slot, 64> slots_{};
};

}  // namespace natkit::log
