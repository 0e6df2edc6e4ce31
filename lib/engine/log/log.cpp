#include "natkit/engine/log/log.hpp"

#include <syslog.h>
#include <unistd.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "repeats.hpp"
#include "target.hpp"

namespace natkit::log {
namespace {

constexpr std::size_t max_text = 4000;
constexpr std::size_t most_kept = 500;

/// Where the lines of this process go. One per process: a log is process-wide by nature.
struct Sink {
    Settings settings;
    int fd = STDERR_FILENO;
    Repeats repeats;
    std::deque<Line> kept;
    std::uint64_t lines = 0;
    std::uint64_t lost = 0;  ///< lines since the file could not be written (a full disk)
};

Sink& sink() {
    static Sink instance;
    return instance;
}

void replace_fd(int fd) {
    if (sink().fd != STDERR_FILENO) ::close(sink().fd);
    sink().fd = fd;
}

Repeats::Time wall_clock() {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

std::string timestamp(Repeats::Time now) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    const auto ms = static_cast<int>(now.time_since_epoch().count() % 1000);
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03dZ", ms < 0 ? ms + 1000 : ms);
    return std::string(text.data(), length) + fraction.data();
}

/// How many bytes the character at the front of `text` has; 0 where they are not UTF-8 (RFC 3629: no overlong forms, no
/// surrogates, nothing past U+10FFFF).
std::size_t character_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const auto follows = [&](std::size_t i, unsigned from = 0x80, unsigned to = 0xbf) {
        return byte(i) >= from && byte(i) <= to;
    };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const bool second = follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf);
        return second && follows(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const bool second = follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf);
        return second && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

/// Escapes what could move a cursor or start a line (C0, DEL, and C1 as UTF-8), and what is not UTF-8.
std::string escaped(std::string_view text) {
    std::string result;
    std::string_view rest = text.substr(0, max_text);
    while (!rest.empty()) {
        const std::size_t length = character_length(rest);
        const auto byte = static_cast<unsigned char>(rest[0]);
        const bool c1 = length == 2 && byte == 0xc2 && static_cast<unsigned char>(rest[1]) < 0xa0;
        if (length == 0 || c1 || byte < 0x20 || byte == 0x7f) {
            result += {'\\', 'x', text::hex_digits[byte >> 4], text::hex_digits[byte & 15]};
            rest.remove_prefix(1);
        } else {
            result += rest.substr(0, length);
            rest.remove_prefix(length);
        }
    }
    if (text.size() > max_text) result += "…";
    return result;
}

void to_journal(const char* tag, Level level, const std::string& text) {
    constexpr int priorities[] = {LOG_CRIT, LOG_ERR, LOG_NOTICE, LOG_WARNING, LOG_INFO, LOG_DEBUG};
    ::sd_journal_send("MESSAGE=%s %s", tag, text.c_str(), "PRIORITY=%d", priorities[static_cast<std::size_t>(level)],
                      "SYSLOG_IDENTIFIER=%s", sink().settings.program.c_str(), "NATKIT_TAG=%s", tag, "NATKIT_LEVEL=%s",
                      to_string(level), nullptr);
}

std::string formatted(const char* tag, Level level, const std::string& clean, Repeats::Time now) {
    const Settings& settings = sink().settings;
    if (settings.format == Format::text) {
        return timestamp(now) + " " + to_string(level) + " " + tag + " " + clean + "\n";
    }
    nlohmann::ordered_json record = {
        {"type", "log"}, {"time", timestamp(now)}, {"level", to_string(level)}, {"tag", tag}};
    if (!settings.program.empty()) record["program"] = settings.program;
    record["text"] = clean;
    return record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// Lines that a file does not take are counted; standard error hears of the first, the file of all when it takes lines
/// again.
void to_file(const char* tag, Level level, const std::string& clean, Repeats::Time now) {
    Sink& to = sink();
    const std::string line = formatted(tag, level, clean, now);
    if (to.lost > 0) {
        const std::string gap = std::to_string(to.lost) + " lines of the log were lost";
        // It begins on a line of its own: the last one may be there in part.
        if (!write_all(to.fd, "\n" + formatted("NATKIT", Level::failures, gap, now))) {
            ++to.lost;
            return;
        }
        to.lost = 0;
    }
    if (write_all(to.fd, line)) return;
    const int error = errno;
    if (to.lost++ == 0 && to.fd != STDERR_FILENO) {
        const std::string problem = fail_errno("log " + to.settings.target, error).error().message;
        static_cast<void>(
            write_all(STDERR_FILENO, formatted("NATKIT", Level::failures, problem + "; lines are lost", now)));
    }
}

void emit(const char* tag, Level level, std::string_view text, Repeats::Time now) {
    const std::string clean = escaped(text);
    if (sink().kept.size() >= most_kept) sink().kept.pop_front();
    sink().kept.push_back(
        {.number = ++sink().lines, .time = timestamp(now), .level = level, .tag = tag, .text = clean});
    if (sink().settings.target == "journal") return to_journal(tag, level, clean);
    to_file(tag, level, clean, now);
}

}  // namespace

Result<void> configure(const Settings& settings) {
    auto fd = open_target(settings.target);
    if (!fd) return std::unexpected(fd.error());
    replace_fd(*fd);
    sink().settings = settings;
    return {};
}

Result<void> reopen() {
    auto fd = open_target(sink().settings.target);
    if (!fd) return std::unexpected(fd.error());
    replace_fd(*fd);
    return {};
}

void Logger::write(Level level, std::string_view text) const {
    if (!on(level)) return;
    const Repeats::Time now = wall_clock();
    std::vector<Repeats::Line> owed;
    const bool wanted = sink().repeats.on_line(tag_, level, text, now, owed);
    for (const Repeats::Line& line : owed) emit(line.tag, line.level, line.text, now);
    if (wanted) emit(tag_, level, text, now);
}

void tell_repeats(bool all) {
    const Repeats::Time now = wall_clock();
    for (const Repeats::Line& line : sink().repeats.owed(now, all)) emit(line.tag, line.level, line.text, now);
}

std::vector<Line> recent(std::uint64_t after) {
    const Sink& from = sink();
    const std::uint64_t known = after > from.lines ? 0 : after;
    std::vector<Line> lines;
    for (const Line& line : from.kept) {
        if (line.number > known) lines.push_back(line);
    }
    return lines;
}

}  // namespace natkit::log
