#include "natkit/engine/log/log.hpp"

#include <fcntl.h>
#include <syslog.h>
#include <unistd.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "repeats.hpp"

namespace natkit::log {
namespace {

constexpr std::size_t max_text = 4000;

/// Where the lines of this process go. One per process: a log is process-wide by nature.
struct Sink {
    Settings settings;
    int fd = STDERR_FILENO;
    Repeats repeats;
    std::uint64_t lost = 0;  ///< lines since the file could not be written (a full disk)
};

Sink& sink() {
    static Sink instance;
    return instance;
}

Result<int> open_target(const std::string& target) {
    if (target == "stderr" || target == "journal") return STDERR_FILENO;
    const int fd = ::open(target.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0) return fail_errno("log " + target, errno);
    return fd;
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

/// Escapes what could move a cursor or start a line: C0, DEL, and C1 as UTF-8.
std::string escaped(std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string result;
    const std::string_view kept = text.substr(0, max_text);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const auto byte = static_cast<unsigned char>(kept[i]);
        const auto next = i + 1 < kept.size() ? static_cast<unsigned char>(kept[i + 1]) : 0U;
        const bool c1 = byte == 0xc2 && next >= 0x80 && next < 0xa0;
        if (byte < 0x20 || byte == 0x7f || c1) {
            result += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
        } else {
            result += kept[i];
        }
    }
    if (text.size() > max_text) result += "…";
    return result;
}

/// Whether all of it was written. A full disk or a closed terminal must not stop calls.
bool write_all(int fd, std::string_view line) {
    while (!line.empty()) {
        const ssize_t written = ::write(fd, line.data(), line.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        line.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
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

}  // namespace natkit::log
