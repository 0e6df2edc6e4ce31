#include "natkit/engine/log/log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
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
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
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

/// A link that somebody else made in a folder that is open to him names what he likes: only root's and our own are
/// followed (as Linux does with fs.protected_symlinks, where that is on).
bool may_follow(const std::string& path) {
    struct stat link{};
    return ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode) &&
           (link.st_uid == 0 || link.st_uid == ::geteuid());
}

/// A file that another user put where all may put files, to read what is logged.
bool is_planted(int fd, const std::string& path) {
    struct stat file{};
    struct stat folder{};
    const std::string in = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    return ::fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_uid != 0 && file.st_uid != ::geteuid() &&
           ::stat(in.c_str(), &folder) == 0 && (folder.st_mode & S_IWOTH) != 0;
}

Result<int> open_target(const std::string& target) {
    if (target == "stderr" || target == "journal") return STDERR_FILENO;
    constexpr int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    // One that is there, or one that is made now, here: never one that a link in its place has made elsewhere.
    int fd = ::open(target.c_str(), flags | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) fd = ::open(target.c_str(), flags | O_NOFOLLOW | O_CREAT | O_EXCL, 0640);
    if (fd < 0 && errno == ELOOP && may_follow(target)) fd = ::open(target.c_str(), flags | O_CREAT, 0640);
    if (fd < 0) return fail_errno("log " + target, errno);
    if (is_planted(fd, target)) {
        ::close(fd);
        return fail(Errc::refused,
                    "log " + target + ": belongs to another user, in a folder open to all; name another");
    }
    ::fcntl(fd, F_SETFL, O_APPEND);
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
