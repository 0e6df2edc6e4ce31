#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace natkit::log {

/// Keeps a text that comes again and again from filling the log. Bounded: a fixed number of texts is remembered, an
/// older one gives way. Pure: the time is an argument.
class Repeats {
  public:
    using Time = std::chrono::sys_time<std::chrono::milliseconds>;

    struct Verdict {
        bool write = true;
        std::string summary;  ///< when not empty: write this line first
    };

    [[nodiscard]] Verdict on_line(std::string_view line, Time now);

  private:
    static constexpr unsigned free_lines = 5;
    static constexpr std::chrono::seconds window{10};

    struct Slot {
        std::uint64_t hash = 0;
        Time since{};
        unsigned count = 0;
    };
    std::array<Slot, 64> slots_{};
};

}  // namespace natkit::log
