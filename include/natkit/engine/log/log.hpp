#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/base/log_level.hpp"
#include "natkit/base/text.hpp"

/// The log of a program. One line an event, at one of the guide's levels, under one of its tags:
///   2026-01-02T03:04:05.678Z major SIPEDGE sip:bob@example.com registered from 198.51.100.7:40001
/// Building a text costs something, so ask first where it is not free: `if (log.on(Level::low_level))
/// log.low_level(…)`. Not thread-safe; every program has one thread that logs.
namespace natkit::log {

using Level = LogLevel;

enum class Format : std::uint8_t { text, json };

/// Where lines go, for the whole process. The default is text on stderr.
struct Settings {
    Format format = Format::text;
    std::string target = "stderr";  ///< "stderr", "journal" or the path of a file (appended, mode 0640)
    std::string program;            ///< the identifier in the journal, "program" in JSON
};

/// Takes new settings; the old ones stay when the new target cannot be opened.
Result<void> configure(const Settings& settings);

/// Opens the file again, after a rotation. Nothing happens for other targets. On failure the old file stays in use.
Result<void> reopen();

/// Writes how often texts came that were held back as repeats: those whose ten seconds are over, or all (at the end of
/// the program). To be called every few seconds.
void tell_repeats(bool all = false);

/// A line of the log of this process.
struct Line {
    std::uint64_t number = 0;  ///< from 1
    std::string time;
    Level level{};
    const char* tag = "";
    std::string text;
};

/// The last lines that were written, wherever they went: those after that number, of at most 500 that are kept. A
/// number that was never given is none of this process, and all are told.
[[nodiscard]] std::vector<Line> recent(std::uint64_t after);

/// One tag ("SIPEDGE", "NATPING", …) with its level. A small value; copies are independent.
class Logger {
  public:
    /// `tag` must outlive the logger: a literal.
    Logger(const char* tag, Level level) noexcept : tag_(tag), level_(level) {}

    [[nodiscard]] bool on(Level level) const noexcept { return level <= level_; }
    [[nodiscard]] Level level() const noexcept { return level_; }
    void set_level(Level level) noexcept { level_ = level; }

    void crashes(std::string_view text) const { write(Level::crashes, text); }
    void failures(std::string_view text) const { write(Level::failures, text); }
    void major(std::string_view text) const { write(Level::major, text); }
    void problems(std::string_view text) const { write(Level::problems, text); }
    void low_level(std::string_view text) const { write(Level::low_level, text); }
    void all(std::string_view text) const { write(Level::all, text); }

    /// Nothing happens when the level is off. Control bytes are escaped, and a text is cut at 4,000 bytes; the same
    /// text repeated more than five times within ten seconds is counted instead and told once.
    void write(Level level, std::string_view text) const;

  private:
    const char* tag_;
    Level level_;
};

}  // namespace natkit::log
